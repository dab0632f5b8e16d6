import { expect } from '@jest/globals';
import type { Child } from '../support/child.js';
import { fault } from './support/fault.js';
import { done, end } from './support/order.js';
import type { Scene } from './support/scene.js';
import { type ServerVitals, vitalsOf } from './support/vitals.js';

/** `FAULT_SEED=7 npm run test:soak -- garbage` sends the same bytes again. */
const SEED = Number(process.env['FAULT_SEED'] ?? Date.now() % 1_000_000);
const AT_ONCE = 96;
const WARM_UP = 5000;
const CONNECTIONS = 55_000;
const MIN_BYTES = 5_000_000;
const GROWTH = 1.1;
/** Longer than a call is kept whose handler may still be at work. */
const KEPT_MS = 45_000;
/** Of connections that ended, and of calls that ended alone. NO_EVENT_HANDLER has a line of Nest's own. */
const CODES = [
  'BAD_FRAME',
  'BAD_HELLO',
  'BAD_METADATA',
  'BAD_PAYLOAD',
  'DEADLINE_EXCEEDED',
  'FRAME_CUT',
  'FRAME_TOO_LARGE',
  'ID_IN_USE',
  'NO_EVENT_HANDLER',
  'NO_HANDLER',
  'UNKNOWN_DIALECT',
  'UNKNOWN_TYPE',
  'VERSION_MISMATCH',
];

fault(
  'random and mutated bytes in every dialect, at least 5 million of them over at least 20,000 connections, seeds printed',
  {
    promise: 'no crash, no hang, no leak; each ends in one of the codes listed in its row',
    codes: CODES,
    limitMs: 10 * 60_000,
  },
  async (scene) => {
    process.stderr.write(`FAULT_SEED=${SEED} sends the same bytes.\n`);
    // Frames that are announced and never come are not what is asked here.
    const options = { maxFrameBytes: 1024 ** 2 };
    const server = scene.startWatched({ options });
    await server.says(/^ready$/m);
    const honest = scene.startClient('steady-client', { name: 'honest', inFlight: 4, restMs: 2 });
    await honest.says(/^under way$/m);

    await send(scene, 0, WARM_UP);
    const before = await vitalsOf(server);
    const bytes = await send(scene, WARM_UP, CONNECTIONS);
    expect(bytes).toBeGreaterThan(MIN_BYTES);
    const after = await onceForgotten(server, before);

    await scene.moreAnswers(100);
    honest.write('stop\n');
    await done(honest);
    expect([...scene.ledger.of('parted').keys()]).toEqual([]);
    await end(server);

    for (const [code, count] of Object.entries(after.codes)) scene.row.addCode(code, count);
    expect(after.others).toEqual([]);
    const { heapBytes, descriptors, resources, listeners, sockets } = after;
    expect({ descriptors, resources, listeners, sockets }).toEqual({
      descriptors: before.descriptors,
      resources: before.resources,
      listeners: before.listeners,
      sockets: 1,
    });
    expect(heapBytes).toBeLessThan(before.heapBytes * GROWTH);
  },
);

/** What was dropped before its Observable gave a value is kept for 30 s: its handler may still be at work. */
async function onceForgotten(server: Child, before: ServerVitals): Promise<ServerVitals> {
  const endsAtMs = performance.now() + KEPT_MS;
  let after = await vitalsOf(server);
  while (after.heapBytes >= before.heapBytes * GROWTH && performance.now() < endsAtMs)
    after = await vitalsOf(server);
  return after;
}

/** Gives how many bytes it were. */
async function send(scene: Scene, first: number, connections: number): Promise<number> {
  const { rawPath } = scene;
  const client = scene.startClient('garbage-client', {
    rawPath,
    seed: SEED,
    first,
    connections,
    atOnce: AT_ONCE,
  });
  const told = JSON.parse(await done(client)) as {
    readonly connections: number;
    readonly bytes: number;
    readonly hung: number;
    readonly codes: Readonly<Record<string, number>>;
  };
  // Not one that the server has not logged, or may log.
  expect(CODES).toEqual(expect.arrayContaining(Object.keys(told.codes)));
  scene.row.add({ atRisk: told.connections, lost: told.hung });
  return told.bytes;
}
