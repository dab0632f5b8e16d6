import { expect } from '@jest/globals';
import { until } from '../support/wait.js';
import { fault } from './support/fault.js';

const TAKEOVERS = 12;
const CLIENTS = 5000;
/** Fresh clients that each server answers before its place is taken. */
const ANSWERED_BETWEEN = Math.floor(CLIENTS / (TAKEOVERS + 1));

fault(
  'takeover under a loop of fresh clients: 5,000, each HELLO and one echo, client retries switched off',
  { promise: '0 failed' },
  async (scene) => {
    let server = await scene.serve({ onLive: 'takeover' });
    const clients = ['first', 'second'].map((name) =>
      scene.startClient('fresh-clients', { name, atOnce: 8 }),
    );
    for (const client of clients) await client.says(/^under way$/m);
    for (let takeover = 0; takeover < TAKEOVERS; takeover += 1) {
      const next = scene.startServer({ onLive: 'takeover' });
      await scene.moreAnswers(ANSWERED_BETWEEN);
      await scene.open(next);
      // The one whose place was taken finishes what it has, leaves the file alone, and ends.
      expect(await server.exit()).toBe(0);
      server = next;
    }
    await until(() => scene.ledger.count('answered') >= CLIENTS, 'all have come');
    for (const client of clients) client.write('stop\n');
    for (const client of clients) expect({ exit: await client.exit(), stderr: client.stderr }).toEqual(QUIET);
    server.signal('SIGTERM');
    expect(await server.exit()).toBe(0);
  },
);

const QUIET = { exit: 0, stderr: '' };
