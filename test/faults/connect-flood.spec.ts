import { expect } from '@jest/globals';
import { fault } from './support/fault.js';
import { vitalsOf } from './support/vitals.js';

const MAX_CONNECTIONS = 200;
const SILENT = 1000;
const FRESH = 400;
const ROUNDS = 2;
const OPTIONS = { maxConnections: MAX_CONNECTIONS, backlog: 16, silentGraceMs: 100 };

fault(
  'a flood of connects past maxConnections and past the backlog',
  {
    promise: 'refused with a code or retried, none hangs, server lives; silent ones go first',
    // Where so many come at once that all attempts of the time met a full queue, or a full server.
    codes: ['SERVER_BUSY', 'HELLO_LOST', 'HELLO_TIMEOUT'],
  },
  async (scene) => {
    const { path, rawPath, journal } = scene;
    const server = scene.startClient('vital-server', {
      path,
      rawPath,
      journal: journal.path,
      options: OPTIONS,
    });
    await server.says(/^ready$/m);
    const before = await vitalsOf(server);
    const honest = scene.startClient('steady-client', { name: 'honest', inFlight: 4, restMs: 2 });
    await honest.says(/^under way$/m);

    const flood = scene.startClient('crowd', { name: 'flood' });
    const guests = scene.startClient('crowd', { name: 'guest' });
    for (let round = 1; round <= ROUNDS; round += 1) {
      flood.write(`silent ${SILENT + round}\n`);
      guests.write(`fresh ${FRESH + round}\n`);
      await flood.says(new RegExp(`^silent ${SILENT + round} is done$`, 'm'));
      await guests.says(new RegExp(`^fresh ${FRESH + round} is done$`, 'm'));
    }
    // The silent ones hold every place but that of the honest client: each who comes now gets one.
    guests.write('fresh 20\n');
    await guests.says(/^fresh 20 is done$/m);
    const last = Array.from({ length: 20 }, (_, at) => `guest-${ROUNDS * FRESH + 6 + at + 1}`);
    expect(last.filter((id) => !scene.ledger.of('answered').has(id))).toEqual([]);

    for (const crowd of [flood, guests]) crowd.write('end\n');
    for (const crowd of [flood, guests])
      expect({ exit: await crowd.exit(), stderr: crowd.stderr }).toEqual({ exit: 0, stderr: '' });
    honest.write('stop\n');
    expect({ exit: await honest.exit(), stderr: honest.stderr }).toEqual({ exit: 0, stderr: '' });
    expect([...scene.ledger.of('parted').keys()]).toEqual([]);
    const { codes, others, descriptors } = await vitalsOf(server);
    expect(Object.keys(codes)).toEqual(['TOO_MANY_CONNECTIONS']);
    expect({ others, descriptors }).toEqual({ others: [], descriptors: before.descriptors });
    server.write('end\n');
    expect({ exit: await server.exit(), stderr: server.stderr }).toEqual({ exit: 0, stderr: '' });
  },
);
