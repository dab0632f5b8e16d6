import { expect } from '@jest/globals';
import { underAttack } from './support/attacked.js';
import { fault } from './support/fault.js';
import { done } from './support/order.js';
import type { Scene } from './support/scene.js';

const KIB = 1024;
const TIMEOUT_MS = 1000;
/** A standstill is noticed after once to twice the time; the rest is a busy machine's. */
const NOTICED_MS = 2 * TIMEOUT_MS + 3000;
const DIALECTS = ['binary', 'ndjson', 'nest-json'];

/** What is sent of a call, and how. */
const PEERS = [
  { what: 'silent', bytes: 100 * KIB, firstBytes: 60 * KIB, stepBytes: 0, stepMs: 0, lives: false },
  { what: 'a byte a second', bytes: KIB, firstBytes: 50, stepBytes: 1, stepMs: 1000, lives: false },
  { what: 'slow', bytes: 1000 * KIB, firstBytes: 50, stepBytes: 100 * KIB, stepMs: 400, lives: true },
];
/** Of a hello that never comes to its end the first bytes: it has a time of its own, which ends sooner. */
const HALF_HELLO = { ...PEERS[0]!, dialect: 'binary', what: 'half a hello', helloBytes: 20, firstBytes: 0 };
const OPTIONS = { partialFrameTimeoutMs: TIMEOUT_MS, helloTimeoutMs: TIMEOUT_MS / 2 };
/** As they come, and as what they are made into; those that are text once more. */
const HELD_BYTES = 3 * DIALECTS.length * PEERS.reduce((sum, { bytes }) => sum + bytes, 0);

fault(
  'half a frame, then silence; one byte a second',
  {
    promise: 'cut by the partial-frame timeout; a slow but moving sender lives',
    codes: ['FRAME_TIMEOUT', 'HELLO_TIMEOUT'],
  },
  async (scene) => {
    const { codes } = await underAttack(scene, { options: OPTIONS, bytes: HELD_BYTES }, async () => {
      const peers = DIALECTS.flatMap((dialect) => PEERS.map((peer) => ({ dialect, ...peer })));
      await Promise.all([...peers, HALF_HELLO].map((peer) => meet(scene, peer)));
    });
    expect(codes).toEqual({ FRAME_TIMEOUT: DIALECTS.length * 2, HELLO_TIMEOUT: 1 });
  },
);

async function meet(
  scene: Scene,
  peer: (typeof PEERS)[number] & { readonly dialect: string },
): Promise<void> {
  const said = await done(scene.startClient('half-client', { ...peer }));
  const { isAnswered, tookMs } = JSON.parse(said) as {
    readonly isAnswered: boolean;
    readonly tookMs: number;
  };
  scene.row.add({ atRisk: 1, lost: isAnswered === peer.lives ? 0 : 1 });
  if (!peer.lives && tookMs > NOTICED_MS)
    scene.row.complain(`${peer.what} in ${peer.dialect} was cut after ${Math.round(tookMs)} ms`);
}
