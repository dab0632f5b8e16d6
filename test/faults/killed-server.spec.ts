import { expect } from '@jest/globals';
import { existsSync } from 'node:fs';
import type { Child } from '../support/child.js';
import { until } from '../support/wait.js';
import { fault } from './support/fault.js';
import type { Scene } from './support/scene.js';

const ROUNDS = 20;
/** Each with a client of its own. */
const LEGS = 2;
/** In flight for as long as the server lives. */
const HELD = 1000;
/** Answered at once, or soon: some before the kill, some not. */
const OTHERS = 400;
/** How many have begun when the server dies in the middle of a burst; the others are on their way to it. */
const EARLY = 250;

fault(
  'kill -9 the server under 1,000 calls in flight, restart, 20 rounds',
  {
    promise:
      'stale file replaced; each call answered or failed with CONNECTION_LOST; none answered wrongly; none run twice; client back by itself',
    codes: ['CONNECTION_LOST'],
  },
  async (scene) => {
    for (let leg = 0; leg < LEGS; leg += 1) await runLeg(scene, `leg${leg}`, ROUNDS / LEGS);
    // All of the held ones, and not one of those that came behind the last kill.
    const failed = scene.ledger.count('failed');
    expect(failed).toBeGreaterThanOrEqual(ROUNDS * HELD);
    expect(failed).toBeLessThanOrEqual(ROUNDS * (HELD + OTHERS));
  },
);

async function runLeg(scene: Scene, name: string, bursts: number): Promise<void> {
  const client = scene.startClient('burst-client', { name, bursts, held: HELD, others: OTHERS });
  let server = scene.startServer();
  for (let round = 0; round < bursts; round += 1) {
    const next = scene.startServer();
    await runRound(scene, client, server, round);
    server = next;
  }
  // The last burst is for a server that lives.
  const before = scene.ledger.count('answered');
  await scene.open(server);
  expect(await client.exit()).toBe(0);
  expect(scene.ledger.count('answered') - before).toBe(HELD + OTHERS);
  server.signal('SIGTERM');
  expect(await server.exit()).toBe(0);
}

/**
 * The client has a burst under way, or is about to, and is not told that there is a server again: every second time it
 * has tried in vain by then, else the next one is there at once, and would run what was sent twice.
 */
async function runRound(scene: Scene, client: Child, server: Child, round: number): Promise<void> {
  const ranBefore = scene.journal.count('ran');
  await scene.open(server);
  await client.says(new RegExp(`^burst ${round} is under way$`, 'm'));
  const begun = round % 2 === 0 ? HELD + OTHERS : EARLY;
  await until(
    () => scene.journal.count('ran') - ranBefore >= begun,
    `${begun} calls of the burst have begun`,
  );
  server.signal('SIGKILL');
  expect(await server.exit()).toBe('SIGKILL');
  expect(existsSync(scene.path)).toBe(true);
  if (round % 2 === 1) await client.says(new RegExp(`^burst ${round} is (over|not over in time)$`, 'm'));
}
