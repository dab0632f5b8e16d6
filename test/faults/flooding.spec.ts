import type { Child } from '../support/child.js';
import { fault } from './support/fault.js';
import { end, order } from './support/order.js';
import type { Scene } from './support/scene.js';

const OTHERS = 20;
/** Of each of the others, in each measurement. */
const ECHOES = 100;
/** Calm, flood, calm, flood: a machine that is busy with something else for a while is so for both. */
const ROUNDS = 7;
const MAX_RATIO = 3;

fault(
  'one client floods, 20 others echo',
  { promise: "the others' p99 at most 3x what it was, in one run" },
  async (scene) => {
    const { path, rawPath, journal } = scene;
    const server = scene.startClient('vital-server', { path, rawPath, journal: journal.path });
    await server.says(/^ready$/m);
    const others = scene.startClient('echo-clients', { clients: OTHERS, echoes: ECHOES });
    await others.says(/^ready$/m);
    for (const dialect of ['binary', 'ndjson']) await flood(scene, others, dialect);
    for (const program of [others, server]) await end(program);
  },
);

async function flood(scene: Scene, others: Child, dialect: string): Promise<void> {
  const flooder = scene.startClient('flood-client', { dialect });
  await flooder.says(/^ready$/m);
  // Once before it counts: code that has not run before is slow.
  await ratioOf(flooder, others);
  scene.row.add({ atRisk: 2 * (ROUNDS + 1) * OTHERS * ECHOES, lost: scene.ledger.count('failed') });
  const ratios: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) ratios.push(await ratioOf(flooder, others));
  await end(flooder);
  const shown = ratios.map((ratio) => ratio.toFixed(1)).join(', ');
  process.stderr.write(`p99 of the others under a flood in ${dialect}: ${shown} times what it was\n`);
  const median = [...ratios].sort((a, b) => a - b)[Math.floor(ROUNDS / 2)] ?? NaN;
  if (!(median <= MAX_RATIO)) scene.row.complain(`p99 is ${median.toFixed(1)}x under a flood in ${dialect}`);
}

async function ratioOf(flooder: Child, others: Child): Promise<number> {
  const calmMs = await p99MsOf(others);
  await order(flooder, 'flood', /^it floods\n/gm);
  const floodMs = await p99MsOf(others);
  await order(flooder, 'calm', /^it is calm\b.*\n/gm);
  return floodMs / calmMs;
}

async function p99MsOf(others: Child): Promise<number> {
  const [, said = ''] = await order(others, 'measure', /^measured (.*)\n/gm);
  return (JSON.parse(said) as { readonly p99Ms: number }).p99Ms;
}
