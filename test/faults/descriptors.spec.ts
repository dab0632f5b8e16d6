import { expect } from '@jest/globals';
import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import type { Child } from '../support/child.js';
import { underAttack } from './support/attacked.js';
import { fault } from './support/fault.js';
import { end } from './support/order.js';

const NEEDED = 'prlimit';
const SPARE = 20;
const SILENT = 60;
const FRESH = 40;

fault(
  'out of file descriptors (`prlimit`)',
  {
    promise: 'server keeps serving what it has, accepts again when it can',
    // What those are told whose connection the system of the server takes and it has to drop at once.
    codes: ['HELLO_LOST', 'CONNECTION_REFUSED', 'SERVER_BUSY', 'HELLO_TIMEOUT', 'CONNECT_FAILED'],
    skip: spawnSync(NEEDED, ['--version']).status === 0 ? undefined : `${NEEDED} is not here`,
  },
  async (scene) => {
    await underAttack(scene, {}, async (server) => {
      const crowd = scene.startClient('crowd', { name: 'guest' });
      await crowdDoes(crowd, `fresh ${FRESH}`);
      const before = scene.ledger.count('answered');
      limitDescriptors(server, readdirSync(`/proc/${server.pid}/fd`).length + SPARE);
      await crowdDoes(crowd, `silent ${SILENT}`);
      // Those that found no descriptor are told so; what is served is served on.
      await scene.moreAnswers(200);
      await crowdDoes(crowd, `fresh ${FRESH + 1}`);
      expect(scene.ledger.count('failed')).toBeGreaterThan(0);
      await end(crowd);
      // The silent ones have left: there is room again, and nobody has to do anything for it.
      const guests = scene.startClient('crowd', { name: 'later' });
      await crowdDoes(guests, 'fresh 10');
      const later = Array.from({ length: 10 }, (_, at) => `later-${at + 1}`);
      expect(later.filter((id) => !scene.ledger.of('answered').has(id))).toEqual([]);
      expect(scene.ledger.count('answered')).toBeGreaterThan(before);
      await end(guests);
    });
  },
);

async function crowdDoes(crowd: Child, order: string): Promise<void> {
  crowd.write(`${order}\n`);
  await crowd.says(new RegExp(`^${order} is done$`, 'm'));
}

function limitDescriptors({ pid }: Child, count: number): void {
  execFileSync(NEEDED, ['--pid', String(pid), `--nofile=${count}:`]);
}
