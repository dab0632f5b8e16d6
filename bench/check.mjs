// `npm run bench:check`: holds the ratios of a quick run against bench/expected.json. A ratio that is worse by more than the
// margin in each of ATTEMPTS runs fails: a machine that is busy with other things spoils one run, a slower program all of them.
// `-- --slowed` measures ours with a busy loop of 20 us a call, and ends well only where that is noticed.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { prepare } from './prepare.mjs';

const ATTEMPTS = 3;
const PACE = { rounds: 5, pace: 0.5, starts: 5, warmUpMs: 1_500, leadInMs: 300, limitMs: 20_000 };

const { margin, ratios: expected } = JSON.parse(
  readFileSync(join(import.meta.dirname, 'expected.json'), 'utf8'),
);
const isSlowed = process.argv.includes('--slowed');

prepare();
const [{ CASES }, { figuresOf }, { measure }] = await Promise.all(
  ['./cases.mjs', './figures.mjs', './measure.mjs'].map((file) => import(file)),
);

/** The cases that the ratios are of, with the peers that they need. */
const NEEDED = ['nest-uds', 'nest-tcp', 'nest-tcp-path', 'net', 'floor'];
const ids = new Set(Object.keys(expected).map((id) => id.split('/')[0]));
const cases = CASES.filter(({ id }) => ids.has(id)).map((each) => {
  const peers = each.peers.filter((file) => NEEDED.includes(file));
  return { ...each, peers: isSlowed ? peers.map((file) => (file === 'nest-uds' ? 'slowed' : file)) : peers };
});

const asOurs = (peer) => (peer.file === 'slowed' ? { ...peer, file: 'nest-uds' } : peer);

/** Gives the ids of the ratios that are worse than they may be. */
async function attempt() {
  const results = await measure(cases, PACE);
  const figures = figuresOf(results.cases.map((each) => ({ ...each, peers: each.peers.map(asOurs) })));
  const worse = [];
  for (const [id, ratio] of Object.entries(expected)) {
    const figure = figures.find((each) => each.id === id);
    const isLow = figure === undefined || (figure.most === undefined && figure.value < ratio * (1 - margin));
    const isHigh = figure?.most !== undefined && figure.value > ratio * (1 + margin);
    if (isLow || isHigh) worse.push(id);
    const limit =
      figure?.most === undefined
        ? `at least ${(ratio * (1 - margin)).toFixed(2)}`
        : `at most ${(ratio * (1 + margin)).toFixed(2)}`;
    console.log(
      `${isLow || isHigh ? 'worse' : 'ok   '}  ${(figure?.value ?? NaN).toFixed(2).padStart(6)}  ${limit.padEnd(14)}  ${figure?.says ?? id}`,
    );
  }
  return worse;
}

let worse = await attempt();
for (let more = 1; more < ATTEMPTS && worse.length > 0 && !isSlowed; more += 1) {
  console.log(`\nOnce more, since it may have been the machine (${worse.join(', ')}):`);
  const again = await attempt();
  worse = worse.filter((id) => again.includes(id));
}
if (isSlowed) {
  console.log(
    worse.length > 0
      ? 'A busy loop of 20 us a call is noticed.'
      : 'A busy loop of 20 us a call is NOT noticed.',
  );
  process.exitCode = worse.length > 0 ? 0 : 1;
} else {
  if (worse.length > 0)
    console.error(`Worse than expected: ${worse.join(', ')} (bench/expected.json, margin ${margin}).`);
  process.exitCode = worse.length > 0 ? 1 : 0;
}
