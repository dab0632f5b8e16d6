import { expect } from '@jest/globals';
import type { Child } from '../support/child.js';
import { until } from '../support/wait.js';
import { underAttack } from './support/attacked.js';
import { fault } from './support/fault.js';
import { end } from './support/order.js';
import type { Scene } from './support/scene.js';

const KIB = 1024;
const MIB = KIB ** 2;
const CONNECTIONS = 1000;
/** The longest there is. */
const FRAME_BYTES = 4 * MIB;
/** These go on to send nearly all of it: 390 MiB, if that were taken; few enough to be fast on any machine. */
const SENDERS = 100;
const SENT_BYTES = FRAME_BYTES - 100 * KIB;
const TOTAL_BYTES = 64 * MIB;
/** Half of it is for frames. */
const HAVE_ROOM = TOTAL_BYTES / 2 / FRAME_BYTES;
/** Each has a socket and what belongs to it; of those that send, also up to two reads that were under way. */
const CONNECTION_BYTES = 32 * KIB;
const READ_BYTES = 2 * 64 * KIB;
const HELD_BYTES = HAVE_ROOM * FRAME_BYTES + CONNECTIONS * CONNECTION_BYTES + SENDERS * READ_BYTES;

fault(
  '1,000 connections with a frame of the largest length announced and never sent',
  { promise: 'memory bounded for the process', codes: ['FRAME_TIMEOUT', 'FRAME_CUT'] },
  async (scene) => {
    const options = {
      maxFrameBytes: FRAME_BYTES,
      maxTotalBufferedBytes: TOTAL_BYTES,
      partialFrameTimeoutMs: 200,
    };
    const { codes } = await underAttack(scene, { options, bytes: HELD_BYTES }, async () => {
      // First, so that these are the first to have room.
      const sending = announce(scene, SENDERS, SENT_BYTES);
      await sending.says(/^announced$/m);
      const silent = announce(scene, CONNECTIONS - SENDERS, 0);
      await silent.says(/^announced$/m);
      await scene.moreAnswers(200);
      // Those that were given room and stand still are cut, then others get it: twice as many as have room at once.
      await until(() => count(sending) >= HAVE_ROOM, 'those that stood still are cut');
      await until(() => count(sending) >= 2 * HAVE_ROOM, 'those that had their room then are cut too');
      await scene.moreAnswers(200);
      await Promise.all([sending, silent].map(end));
    });
    // Those that were not cut have left in the middle of their frames.
    expect(Object.keys(codes).sort()).toEqual(['FRAME_CUT', 'FRAME_TIMEOUT']);
  },
);

function announce(scene: Scene, connections: number, sentBytes: number): Child {
  scene.row.add({ atRisk: connections });
  return scene.startClient('announcing-client', { connections, announcedBytes: FRAME_BYTES, sentBytes });
}

/** How many of its connections the server has ended, as it last said; asks it again. */
function count(client: Child): number {
  client.write('count\n');
  return Number(/{"ended":(\d+)}\s*$/.exec(client.stdout)?.[1] ?? 0);
}
