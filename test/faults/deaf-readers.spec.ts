import { expect } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { underAttack } from './support/attacked.js';
import { fault } from './support/fault.js';
import { done } from './support/order.js';
import type { Scene } from './support/scene.js';

const KIB = 1024;
const MIB = KIB ** 2;
const DIALECTS = ['binary', 'ndjson', 'nest-json', 'raw'];
const REQUESTS = 10_000;
/** Of one request and its answer: some 600 MiB of answers in a round. */
const BYTES = 16 * KIB;
const ROUNDS = 3;
const OPTIONS = { maxBufferedBytes: 512 * KIB, maxFrameBytes: MIB, slowReaderTimeoutMs: 1000 };
/** In each dialect what may wait there, what one read had asked for, and the read; nest-json is cut one frame later. */
const HELD_BYTES = DIALECTS.length * (OPTIONS.maxBufferedBytes + 4 * 64 * KIB) + OPTIONS.maxFrameBytes;
/** A round of deaf readers takes about as long. */
const CALM_MS = 1500;

fault(
  'a reader that never reads, 10,000 requests, in each dialect',
  {
    promise:
      'memory under the computed figure, cut by the slow-reader limit, others served at no less than half their rate',
    codes: ['SLOW_READER'],
  },
  async (scene) => {
    const honest = { inFlight: 16, restMs: 1 };
    const attack = { options: OPTIONS, honest, bytes: HELD_BYTES };
    const { codes } = await underAttack(scene, attack, async () => {
      await scene.moreAnswers(500);
      const shares: number[] = [];
      for (let round = 0; round < ROUNDS; round += 1) shares.push(await runRound(scene));
      shares.sort((a, b) => a - b);
      // The middle one, since a machine has other things to do now and then.
      expect(shares[Math.floor(ROUNDS / 2)]).toBeGreaterThan(0.5);
    });
    expect(codes).toEqual({ SLOW_READER: ROUNDS * DIALECTS.length });
  },
);

/** Gives the rate of the others while nobody reads, as a share of what it is in calm. */
async function runRound(scene: Scene): Promise<number> {
  const calm = await rateDuring(scene, async () => await delay(CALM_MS));
  const deaf = await rateDuring(scene, async () => {
    const peers = DIALECTS.map((dialect) => {
      const path = dialect === 'raw' ? scene.rawPath : scene.path;
      return scene.startClient('deaf-client', { path, dialect, requests: REQUESTS, bytes: BYTES });
    });
    await Promise.all(peers.map(done));
  });
  return deaf / calm;
}

/** Answers a millisecond. */
async function rateDuring({ ledger }: Scene, during: () => Promise<void>): Promise<number> {
  const before = ledger.count('answered');
  const startedMs = performance.now();
  await during();
  return (ledger.count('answered') - before) / (performance.now() - startedMs);
}
