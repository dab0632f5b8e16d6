import { expect } from '@jest/globals';
import type { Child } from '../support/child.js';
import { until } from '../support/wait.js';
import { fault } from './support/fault.js';
import { forgetPeak, knowsPeaks, memoryOf } from './support/memory.js';
import type { Scene } from './support/scene.js';
import { vitalsOf } from './support/vitals.js';

const KIB = 1024;
const MIB = KIB ** 2;
const CONNECTIONS = 1000;
/** The longest there is. */
const FRAME_BYTES = 16 * MIB;
/** Of it, as much as would be half a gigabyte if all of it were taken. */
const SENT_BYTES = MIB;
const TOTAL_BYTES = 64 * MIB;
const TIMEOUT_MS = 1500;
/** Each has a socket and what belongs to it, and up to two reads that were under way. */
const CONNECTION_BYTES = 2 * 64 * KIB + 32 * KIB;
/** What a collector leaves lying for a while. */
const SLACK_BYTES = 48 * MIB;
/** At what the server holds, each of some hundred milliseconds. */
const LOOKS = 50;

fault(
  '1,000 connections with a frame of the largest length announced and never sent',
  { promise: 'memory bounded for the process', codes: ['FRAME_TIMEOUT'] },
  async (scene) => {
    const { path, rawPath, journal } = scene;
    const options = { maxTotalBufferedBytes: TOTAL_BYTES, partialFrameTimeoutMs: TIMEOUT_MS };
    const server = scene.startClient('vital-server', { path, rawPath, journal: journal.path, options });
    await server.says(/^ready$/m);
    const honest = scene.startClient('steady-client', { name: 'honest', inFlight: 4, restMs: 2 });
    await honest.says(/^under way$/m);
    const before = await vitalsOf(server);
    forgetPeak(server);
    const startBytes = memoryOf(server).nowBytes;

    const announcing = announce(scene, 0);
    const sending = announce(scene, SENT_BYTES);
    for (const client of [announcing, sending]) await client.says(/^announced$/m);
    await scene.moreAnswers(200);
    // Those that were given room and stand still are cut, then others get it: twice as many as have room at once.
    const cut = (): number => count(announcing) + count(sending);
    await until(() => cut() >= (2 * TOTAL_BYTES) / FRAME_BYTES, 'those that stood still are cut');
    await scene.moreAnswers(200);
    if (knowsPeaks) {
      const grownBytes = memoryOf(server).peakBytes - startBytes;
      expect(grownBytes).toBeLessThan(TOTAL_BYTES + CONNECTIONS * CONNECTION_BYTES + SLACK_BYTES);
    }
    for (const client of [announcing, sending]) client.write('end\n');
    for (const client of [announcing, sending]) expect(await client.exit()).toBe(0);
    await backToNormal(scene, server, honest, before.descriptors);
  },
);

function announce(scene: Scene, sentBytes: number): Child {
  const connections = CONNECTIONS / 2;
  scene.row.add({ atRisk: connections });
  return scene.startClient('announcing-client', { connections, announcedBytes: FRAME_BYTES, sentBytes });
}

/** How many of its connections the server has ended. */
function count(client: Child): number {
  client.write('count\n');
  return Number(/{"ended":(\d+)}\s*$/.exec(client.stdout)?.[1] ?? 0);
}

async function backToNormal(scene: Scene, server: Child, honest: Child, descriptors: number): Promise<void> {
  honest.write('stop\n');
  expect({ exit: await honest.exit(), stderr: honest.stderr }).toEqual({ exit: 0, stderr: '' });
  expect([...scene.ledger.of('parted').keys()]).toEqual([]);
  let after = await vitalsOf(server);
  // One less: the honest client has gone. Those that waited for room are read to their end in their turn.
  for (let look = 0; after.descriptors !== descriptors - 1 && look < LOOKS; look += 1)
    after = await vitalsOf(server);
  expect(after.descriptors).toBe(descriptors - 1);
  const { FRAME_TIMEOUT = 0, ...codes } = after.codes;
  scene.row.addCode('FRAME_TIMEOUT', FRAME_TIMEOUT);
  // The others left in the middle of their frames.
  expect(Object.keys(codes)).toEqual(['FRAME_CUT']);
  expect(after.others).toEqual([]);
  server.write('end\n');
  expect({ exit: await server.exit(), stderr: server.stderr }).toEqual({ exit: 0, stderr: '' });
}
