import type { Child } from '../support/child.js';
import { fault } from './support/fault.js';
import { expectGrowth } from './support/memory.js';
import { end, order } from './support/order.js';
import type { Scene } from './support/scene.js';

const OTHERS = 20;
/** Of each of the others, in each measurement. */
const ECHOES = 100;
/** Calm, flood, calm, flood: a machine that is busy with something else for a while is so for both. */
const ROUNDS = 9;
const MAX_RATIO = 3;
const DIALECTS = ['binary', 'ndjson', 'nest-json', 'raw'];

/** Of one call of the handler `compute`. */
const COMPUTE_MS = 3;
/** In 8 pieces, so that all of them are done soon after. */
const COMPUTING = { dialect: 'binary', pattern: 'compute', piece: 16 };
/**
 * A handler that computes can't be interrupted: one call of it, or a few where those before them were short, are a turn. An echo
 * is read in one turn and may meet another one on its way back; the rest is for a machine that is busy with something else.
 */
const MAX_CALLS_WAITED_FOR = 5;

const OPTIONS = { maxTotalBufferedBytes: 64 * 1024 ** 2 };
/** The half that is for calls and answers: no frame here is long. */
const HELD_BYTES = OPTIONS.maxTotalBufferedBytes / 2;

fault(
  'one client floods, 20 others echo',
  { promise: "the others' p99 at most 3x what it was, in one run", limitMs: 180_000 },
  async (scene) => {
    const server = scene.startWatched({ options: OPTIONS });
    await server.says(/^ready$/m);
    const others = scene.startClient('echo-clients', { clients: OTHERS, echoes: ECHOES });
    await others.says(/^ready$/m);
    await expectGrowth(server, HELD_BYTES, async () => {
      for (const dialect of DIALECTS) await floodPlainly(scene, others, dialect);
      await floodByComputing(scene, others);
    });
    for (const program of [others, server]) await end(program);
  },
);

/** A machine that is busy with something else fails one run; a server that lets others wait, each. */
const RUNS = 3;

async function floodPlainly(scene: Scene, others: Child, dialect: string): Promise<void> {
  let ratio = Infinity;
  for (let run = 0; run < RUNS && !(ratio <= MAX_RATIO); run += 1)
    ratio = await ratioUnderFlood(scene, others, dialect);
  if (!(ratio <= MAX_RATIO)) scene.row.complain(`p99 is ${ratio.toFixed(1)}x under a flood in ${dialect}`);
}

async function ratioUnderFlood(scene: Scene, others: Child, dialect: string): Promise<number> {
  const path = dialect === 'raw' ? scene.rawPath : scene.path;
  const rounds = await flood(scene, others, { dialect, path });
  // Of each by itself: a ratio of two that stand beside each other is as far out as either of them.
  const ratio = medianOf(rounds.map(({ floodMs }) => floodMs)) / medianOf(rounds.map(({ calmMs }) => calmMs));
  process.stderr.write(
    `p99 of the others under a flood in ${dialect}: ${ratio.toFixed(1)} times what it was; ${shown(rounds)}\n`,
  );
  return ratio;
}

async function floodByComputing(scene: Scene, others: Child): Promise<void> {
  const rounds = await flood(scene, others, COMPUTING);
  // The best of them: calls of a set time are not slower where a machine is, but whoever waits for its turn after them is.
  const calls = Math.min(...rounds.map(({ calmMs, floodMs }) => (floodMs - calmMs) / COMPUTE_MS));
  process.stderr.write(
    `p99 of the others under calls that compute: ${calls.toFixed(1)} of these longer; ${shown(rounds)}\n`,
  );
  if (!(calls <= MAX_CALLS_WAITED_FOR))
    scene.row.complain(`p99 is by ${calls.toFixed(1)} calls longer under calls that compute`);
}

interface Round {
  readonly calmMs: number;
  readonly floodMs: number;
  /** Of the flooder, until it was calm. */
  readonly answers: number;
}

async function flood(
  scene: Scene,
  others: Child,
  settings: Readonly<Record<string, unknown>>,
): Promise<Round[]> {
  const flooder = scene.startClient('flood-client', settings);
  await flooder.says(/^ready$/m);
  // Once before it counts: code that has not run before is slow.
  await runRound(flooder, others);
  scene.row.add({ atRisk: 2 * (ROUNDS + 1) * OTHERS * ECHOES, lost: scene.ledger.count('failed') });
  const rounds: Round[] = [];
  for (let round = 0; round < ROUNDS; round += 1) rounds.push(await runRound(flooder, others));
  await end(flooder);
  return rounds;
}

async function runRound(flooder: Child, others: Child): Promise<Round> {
  const calmMs = await p99MsOf(others);
  await order(flooder, 'flood', /^it floods\n/gm);
  const floodMs = await p99MsOf(others);
  const [, answers] = await order(flooder, 'calm', /^it is calm (.*)\n/gm);
  return { calmMs, floodMs, answers: Number(answers) };
}

async function p99MsOf(others: Child): Promise<number> {
  const [, said = ''] = await order(others, 'measure', /^measured (.*)\n/gm);
  return (JSON.parse(said) as { readonly p99Ms: number }).p99Ms;
}

const shown = (rounds: readonly Round[]): string =>
  rounds
    .map(({ calmMs, floodMs, answers }) => `${calmMs.toFixed(1)}:${floodMs.toFixed(1)} ms (${answers})`)
    .join(', ');

const medianOf = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
