// The words behind `npm run bench --`.
import { parseArgs } from 'node:util';
import { CASES } from './cases.mjs';
import { peerFiles } from './peers.mjs';

const OPTIONS = {
  quick: { type: 'boolean' },
  case: { type: 'string', multiple: true },
  peer: { type: 'string', multiple: true },
  rounds: { type: 'string' },
  json: { type: 'string' },
  help: { type: 'boolean' },
};

const HELP = `npm run bench -- [options]
  --quick        fewer cases, shorter rounds: under a minute
  --case ID      this case alone; may be given again: ${CASES.map(({ id }) => id).join(', ')}
  --peer NAME    this peer alone, and nest-uds; may be given again: ${peerFiles.join(', ')}
  --rounds N     rounds of each case (7; with --quick 3)
  --json FILE    where the results go (bench/results/latest.json)`;

function fail(reason) {
  console.error(`${reason}\n${HELP}`);
  process.exit(2);
}

function known(words, names, what) {
  for (const word of words) if (!names.includes(word)) fail(`There is no ${what} ${word}.`);
}

/** What the pace of a run is: how long its rounds are and how many. */
function paceOf(values) {
  const isQuick = values.quick === true;
  const rounds = Number(values.rounds ?? (isQuick ? 3 : 7));
  if (!Number.isInteger(rounds) || rounds < 1) fail('--rounds takes a whole number from 1.');
  return {
    isQuick,
    rounds,
    starts: isQuick ? 5 : 15,
    pace: isQuick ? 0.4 : 1,
    warmUpMs: isQuick ? 500 : 2_000,
    leadInMs: isQuick ? 150 : 300,
    limitMs: 15_000,
  };
}

/** Gives the cases with their peers, and the pace; ends the process where the words make no sense. */
export function readOptions(words) {
  let values;
  try {
    values = parseArgs({ args: words, options: OPTIONS }).values;
  } catch (error) {
    return fail(error.message);
  }
  if (values.help) {
    console.log(HELP);
    process.exit(0);
  }
  const { case: ids = [], peer: files = [], json } = values;
  known(
    ids,
    CASES.map(({ id }) => id),
    'case',
  );
  known(files, peerFiles, 'peer');
  const pace = paceOf(values);
  const chosen = CASES.filter(({ id, isQuick }) =>
    ids.length > 0 ? ids.includes(id) : !pace.isQuick || isQuick,
  );
  const cases = chosen.map((each) => {
    const all = (pace.isQuick && each.quickPeers) || each.peers;
    const peers =
      files.length === 0 ? all : all.filter((file) => file === 'nest-uds' || files.includes(file));
    return { ...each, ...(pace.isQuick && each.quick), peers };
  });
  return { pace, json, cases: cases.filter(({ peers }) => peers.length > 0) };
}
