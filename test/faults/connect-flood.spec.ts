import { expect } from '@jest/globals';
import { underAttack } from './support/attacked.js';
import { fault } from './support/fault.js';
import { end } from './support/order.js';
import { vitalsOf } from './support/vitals.js';

const SILENT = 1000;
const FRESH = 400;
const ROUNDS = 2;
/** More than there are places. */
const FILLING = 300;
const LAST = 20;
const OPTIONS = { maxConnections: 200, backlog: 16, silentGraceMs: 100 };
/** Of one that is silent: Node's objects and ours. */
const CONNECTION_BYTES = 32 * 1024;

fault(
  'a flood of connects past maxConnections and past the backlog',
  {
    promise: 'refused with a code or retried, none hangs, server lives; silent ones go first',
    // The first three where so many come at once that every attempt met a full queue, or a full server; the last is logged.
    codes: ['SERVER_BUSY', 'HELLO_LOST', 'HELLO_TIMEOUT', 'TOO_MANY_CONNECTIONS'],
  },
  async (scene) => {
    const attack = { options: OPTIONS, bytes: OPTIONS.maxConnections * CONNECTION_BYTES };
    const { codes } = await underAttack(scene, attack, async (server) => {
      const flood = scene.startClient('crowd', { name: 'flood' });
      const guests = scene.startClient('crowd', { name: 'guest' });
      for (let round = 1; round <= ROUNDS; round += 1) {
        flood.write(`silent ${SILENT + round}\n`);
        guests.write(`fresh ${FRESH + round}\n`);
        await flood.says(new RegExp(`^silent ${SILENT + round} is done$`, 'm'));
        await guests.says(new RegExp(`^fresh ${FRESH + round} is done$`, 'm'));
      }
      // The silent ones hold every place but that of the honest client: each who comes now gets one.
      flood.write(`silent ${FILLING}\n`);
      await flood.says(new RegExp(`^silent ${FILLING} is done$`, 'm'));
      expect((await vitalsOf(server)).mostSockets).toBe(OPTIONS.maxConnections);
      const before = [...scene.ledger.of('asked').keys()].filter((id) => id.startsWith('guest')).length;
      guests.write(`fresh ${LAST}\n`);
      await guests.says(new RegExp(`^fresh ${LAST} is done$`, 'm'));
      const last = Array.from({ length: LAST }, (_, at) => `guest-${before + at + 1}`);
      expect(last.filter((id) => !scene.ledger.of('answered').has(id))).toEqual([]);
      await Promise.all([flood, guests].map(end));
    });
    expect(Object.keys(codes)).toEqual(['TOO_MANY_CONNECTIONS']);
  },
);
