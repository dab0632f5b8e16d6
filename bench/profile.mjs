// `npm run bench:profile [-- --case ID]`: where the processor time of a call goes, ours beside the floor, by layer and by function; in
// turns. What the profiler itself costs is in it: the shares tell, not the sums.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { CASES } from './cases.mjs';
import { payloadOf } from './payloads.mjs';
import { prepare } from './prepare.mjs';

const ROUNDS = 5;
const ROUND_MS = 2_000;
const LIMIT_MS = 60_000;
const WARM_UP_MS = 500;
const SHOWN = 40;
const SIDES = ['server', 'client'];

/** From the outside in; the first that fits. */
const LAYERS = [
  // dispatch: what starts and ends the profiler
  ['not running', ({ name, url }) => name === '(idle)' || (name === 'dispatch' && url === '')],
  ['garbage collection', ({ name }) => name === '(garbage collector)'],
  ["Node's own C++, system calls", ({ name, url }) => name === '(program)' || url === ''],
  ['src/protocol', ({ url }) => url.includes('/nest-uds/dist/protocol/')],
  ['src/net', ({ url }) => url.includes('/nest-uds/dist/net/')],
  ['src/transport', ({ url }) => url.includes('/nest-uds/dist/')],
  ['@nestjs', ({ url }) => url.includes('/@nestjs/')],
  ['rxjs', ({ url }) => url.includes('/rxjs/')],
  ["Node's own JavaScript", ({ url }) => url.startsWith('node:')],
  ['the bench', () => true],
];
const IDLE = LAYERS[0][0];

const layerOf = (entry) => LAYERS.find(([, fits]) => fits(entry))[0];

/** What one peer took a call, by side and by function. */
class Costs {
  #calls = 0;
  functions = new Map();

  add(profiles, calls) {
    this.#calls += calls;
    for (const [side, entries] of Object.entries(profiles))
      for (const entry of entries) this.#addTo(side, entry);
  }

  #addTo(side, entry) {
    const layer = layerOf(entry);
    if (layer === IDLE) return;
    const file = entry.url.split(/node_modules\/(?:nest-uds\/dist\/)?/).at(-1);
    const where = `${entry.name || '(anonymous)'}${file === '' ? '' : ` ${file}:${entry.line}`}`;
    const says = `${side}  ${layer}  ${where}`;
    const known = this.functions.get(says) ?? { side, layer, us: 0 };
    known.us += entry.us;
    this.functions.set(says, known);
  }

  /** Microseconds a call of one function. */
  usOf(says) {
    return (this.functions.get(says)?.us ?? 0) / this.#calls;
  }

  /** The same of all that `fit`. */
  sumOf(fit) {
    let us = 0;
    for (const each of this.functions.values()) if (fit(each)) us += each.us;
    return us / this.#calls;
  }
}

const known = CASES.filter(({ kind }) => kind === 'echo');
const { values: told } = parseArgs({ options: { case: { type: 'string', default: '64B-64' } } });
const asked = known.find(({ id }) => id === told.case);
if (asked === undefined) {
  console.error(`--case takes one of ${known.map(({ id }) => id).join(', ')}.`);
  process.exit(2);
}

/** Calls for so long. */
async function echo(peer, durationMs) {
  const task = { ...asked, bytes: payloadOf(asked.payload).bytes, maxCalls: undefined };
  const answer = await peer.order(wordsOf(task, durationMs), durationMs + LIMIT_MS);
  if (answer === undefined) throw new Error(`${peer.name}: ${peer.failed}`);
  return answer;
}

async function measure(peer, costs) {
  await echo(peer, WARM_UP_MS);
  await peer.profile();
  const { calls } = await echo(peer, ROUND_MS);
  costs.add(await peer.profile(), calls);
}

async function measureAll(peers) {
  const costs = peers.map(() => new Costs());
  for (const peer of peers) await echo(peer, ROUND_MS);
  for (let round = 0; round < ROUNDS; round += 1)
    for (const at of round % 2 === 0 ? [0, 1] : [1, 0]) await measure(peers[at], costs[at]);
  return costs;
}

const cell = (us) => us.toFixed(2).padStart(7);

/** @param rows what each is, and its microseconds in ours and on the floor */
function show(title, rows) {
  const width = Math.max(title.length, ...rows.map(([says]) => says.length));
  console.log(`\n${title.padEnd(width)}     ours   floor   above`);
  for (const [says, us, floorUs] of rows)
    if (us + floorUs >= 0.005)
      console.log(`${says.padEnd(width)}  ${cell(us)} ${cell(floorUs)} ${cell(us - floorUs)}`);
}

prepare();
const { withPeers, wordsOf } = await import('./kinds.mjs');
const folder = mkdtempSync(join(tmpdir(), 'uds-profile-'));
const [ours, floor] = await withPeers(['nest-uds', 'floor'], folder, measureAll).finally(() =>
  rmSync(folder, { recursive: true, force: true }),
);
const rowOf = (says, fit) => [says, ours.sumOf(fit), floor.sumOf(fit)];
console.log(`Microseconds of processor time a call in the case ${asked.id}, with the profiler`);
show('both ends together', [rowOf('all of it', () => true)]);
for (const side of SIDES) {
  const rows = LAYERS.map(([layer]) => rowOf(layer, (each) => each.side === side && each.layer === layer));
  show(`${side}, by layer`, rows);
}
const rows = [...ours.functions.keys()].map((says) => [says, ours.usOf(says), floor.usOf(says)]);
rows.sort(([, us, floorUs], [, otherUs, otherFloorUs]) => otherUs - otherFloorUs - (us - floorUs));
show(`the ${SHOWN} functions that are furthest above the floor`, rows.slice(0, SHOWN));
