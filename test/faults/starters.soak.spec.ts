import { expect } from '@jest/globals';
import { readdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { firstValueFrom } from 'rxjs';
import { UdsClient } from '../../src/index.js';
import type { Child } from '../support/child.js';
import { leaveStaleSocket } from '../support/stale.js';
import { fault } from './support/fault.js';
import type { Scene } from './support/scene.js';

const STARTERS = 8;
const ROUNDS = 50;
/** Each with processes of its own. */
const LEGS = 5;
/** Of the starters, in every second round. */
const MAX_KILLED = 3;
/** A start takes some milliseconds, eight beside each other on few processors more. */
const KILLED_WITHIN_MS = 30;
/** `FAULT_SEED=7 npm run test:faults -- starters` does the same kills again. */
const SEED = Number(process.env['FAULT_SEED'] ?? Date.now() % 1_000_000);

fault(
  '8 servers started at once on a stale path, 50 rounds, with random kills in half of them',
  { promise: 'exactly one serves each time, the others say who; no orphan, no lock left' },
  async (scene) => {
    process.stderr.write(`FAULT_SEED=${SEED} kills the same starters at the same moments.\n`);
    const random = randomOf(SEED);
    for (let leg = 0; leg < LEGS; leg += 1) {
      const starters = Array.from({ length: STARTERS }, () => scene.startClient('starter'));
      for (let round = 0; round < ROUNDS / LEGS; round += 1) {
        const name = leg * (ROUNDS / LEGS) + round;
        await leaveStaleSocket(scene.path).catch(() => undefined);
        const kills = round % 2 === 0 ? [] : killsOf(random);
        await runRound(scene, starters, kills, name);
      }
      for (const starter of starters) starter.endInput();
      for (const starter of starters) expect(await starter.exit()).toBe(0);
    }
  },
);

interface Kill {
  readonly starter: number;
  readonly afterMs: number;
}

async function runRound(
  scene: Scene,
  starters: Child[],
  kills: readonly Kill[],
  round: number,
): Promise<void> {
  for (const starter of starters) await starter.says(/^standing by$/m);
  for (const starter of starters) starter.write(`start ${round}\n`);
  const dead = await Promise.all(kills.map(async (kill) => await killOne(starters, kill)));
  const living = starters.filter((starter) => !dead.includes(starter));
  const [server, ...more] = await settle(scene, living, dead, `${round}`);
  scene.row.add({ atRisk: STARTERS, lost: server === undefined ? 1 : 0, doubled: more.length });
  if (server === undefined) return;
  // The one that says that it serves is the one that is reached.
  expect(await whoServes(scene.path)).toBe(server.pid);
  await close(server, round);
  if (dead.length > 0) await sweep(living[0]!, round);
  expect(readdirSync(dirname(scene.path)).sort()).toEqual(['journal', 'ledger']);
  for (const each of dead) starters[starters.indexOf(each)] = scene.startClient('starter');
}

async function killOne(starters: readonly Child[], { starter, afterMs }: Kill): Promise<Child> {
  await delay(afterMs);
  const killed = starters[starter]!;
  killed.signal('SIGKILL');
  await killed.exit();
  return killed;
}

/** Gives those who serve. Where the one that did was killed, the others were refused by it, and start once more. */
async function settle(
  scene: Scene,
  living: readonly Child[],
  dead: readonly Child[],
  round: string,
): Promise<Child[]> {
  for (const starter of living) await starter.says(new RegExp(`^${round} (serves|refused .*)$`, 'm'));
  const serving = living.filter(({ stdout }) => stdout.includes(`\n${round} serves\n`));
  const hosts = [...serving, ...dead].map(({ pid }) => `process ${pid}.`);
  for (const { stdout } of living.filter((starter) => !serving.includes(starter))) {
    const [, refusal = ''] = new RegExp(`^${round} refused (.*)$`, 'm').exec(stdout) ?? [];
    const isTold = refusal.startsWith('ADDRESS_IN_USE') && hosts.some((host) => refusal.includes(host));
    if (!isTold) {
      scene.row.add({ wrong: 1 });
      scene.row.complain(refusal);
    }
  }
  if (serving.length > 0 || dead.length === 0 || round.endsWith('again')) return serving;
  for (const starter of living) starter.write(`start ${round}again\n`);
  return await settle(scene, living, dead, `${round}again`);
}

async function close(server: Child, round: number | string): Promise<void> {
  server.write(`close ${round}\n`);
  await server.says(new RegExp(`^${round} closed$`, 'm'));
}

/** What a killed starter has left beside the lock goes with the next start. */
async function sweep(starter: Child, round: number): Promise<void> {
  const name = `${round}sweep`;
  starter.write(`start ${name}\n`);
  await starter.says(new RegExp(`^${name} serves$`, 'm'));
  await close(starter, name);
}

async function whoServes(path: string): Promise<unknown> {
  const client = new UdsClient({ path });
  try {
    return await firstValueFrom(client.send('who', 1));
  } finally {
    await client.close();
  }
}

function killsOf(random: () => number): Kill[] {
  const starters = Array.from({ length: STARTERS }, (_, starter) => starter);
  return Array.from({ length: 1 + Math.floor(random() * MAX_KILLED) }, () => ({
    starter: starters.splice(Math.floor(random() * starters.length), 1)[0] ?? 0,
    afterMs: random() * KILLED_WITHIN_MS,
  }));
}

/** Mulberry32, by Tommy Ettinger: enough to do the same kills again. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
