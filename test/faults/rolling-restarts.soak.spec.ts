import { expect } from '@jest/globals';
import { existsSync } from 'node:fs';
import type { Child } from '../support/child.js';
import { until } from '../support/wait.js';
import { fault } from './support/fault.js';
import type { Scene } from './support/scene.js';

const RESTARTS = 20;
/** Each with clients of its own. */
const LEGS = 5;
const LOAD = { inFlight: 64, longCalls: 4, longMs: 1000, eventEveryMs: 5 };
/** Has often nothing under way, so that a server could think it done while a call is on its way. */
const LIGHT_LOAD = { inFlight: 24, restMs: 40 };
const CLIENTS = { first: LOAD, second: LOAD, light: LIGHT_LOAD };
/** How many calls each server answers before it is replaced. */
const ANSWERED_BETWEEN = 400;

fault(
  '20 rolling restarts under steady load (two clients, 64 in flight each, events too)',
  { promise: '0 failed calls, 0 doubled calls, 0 lost events' },
  async (scene) => {
    let overlaps = 0;
    for (let leg = 0; leg < LEGS; leg += 1) overlaps += await runLeg(scene, leg);
    expect(overlaps).toBeGreaterThan(0);
    expect(scene.ledger.count('sent')).toBeGreaterThan(RESTARTS);
  },
);

/** Gives how often a server served while the one before it still finished what ran. */
async function runLeg(scene: Scene, leg: number): Promise<number> {
  let server = await scene.serve();
  const clients = Object.entries(CLIENTS).map(([name, load]) =>
    scene.startClient('steady-client', { name: `${name}${leg}`, ...load }),
  );
  for (const client of clients) await client.says(/^under way$/m);
  let overlaps = 0;
  for (let restart = 0; restart < RESTARTS / LEGS; restart += 2) {
    await scene.moreAnswers(ANSWERED_BETWEEN);
    server = await replaceAfterExit(scene, server);
    const next = scene.startServer();
    await scene.moreAnswers(ANSWERED_BETWEEN);
    overlaps += await replaceWhileItDrains(scene, server, next);
    server = next;
  }
  await scene.moreAnswers(ANSWERED_BETWEEN);
  for (const client of clients) client.write('stop\n');
  for (const client of clients)
    expect({ exit: await client.exit(), stderr: client.stderr }).toEqual(QUIET_END);
  await end(server);
  return overlaps;
}

const QUIET_END = { exit: 0, stderr: '' };

/** There is nobody for as long as a start takes. */
async function replaceAfterExit(scene: Scene, old: Child): Promise<Child> {
  await end(old);
  return await scene.serve();
}

/** The next one stands by, and listens as soon as the path is free: some of the calls run for long. */
async function replaceWhileItDrains(scene: Scene, old: Child, next: Child): Promise<number> {
  await next.says(/^standing by$/m);
  old.signal('SIGTERM');
  const ended = old.exit();
  await until(() => !existsSync(scene.path), 'the path is free');
  const opened = scene.open(next).then(() => 'opened');
  const first = await Promise.race([opened, ended]);
  await opened;
  expect(await ended).toBe(0);
  return first === 'opened' ? 1 : 0;
}

async function end(server: Child): Promise<void> {
  server.signal('SIGTERM');
  expect(await server.exit()).toBe(0);
}
