import { expect } from '@jest/globals';
import type { Child } from '../support/child.js';
import { fault } from './support/fault.js';
import { done } from './support/order.js';
import type { Scene } from './support/scene.js';

const ATTEMPTS = 20;
const CONNECT_TIMEOUT_MS = 500;
/** What the promise allows besides. */
const SLACK_MS = 1000;

fault(
  'a server that accepts and never answers HELLO',
  {
    promise: 'connect() settles within its limit, leaves no socket; terminus says down',
    codes: ['HELLO_TIMEOUT'],
  },
  async (scene) => {
    for (const reads of [true, false]) await meet(scene, reads);
    scene.row.add({ lost: lateOnes(scene) });
  },
);

async function meet(scene: Scene, reads: boolean): Promise<void> {
  const server = scene.startClient('mute-server', { reads });
  await server.says(/^ready$/m);
  const client = scene.startClient('hello-client', {
    name: reads ? 'heard' : 'unheard',
    attempts: ATTEMPTS,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
  });
  // It ends by itself: nothing of the attempts keeps it open.
  await done(client);
  const { before, left, terminus } = lastWordOf(client);
  expect(left).toEqual(before);
  expect(terminus).toMatchObject({ status: 'error', mute: { status: 'down' } });

  server.signal('SIGTERM');
  expect(await server.exit()).toBe(0);
  expect(lastWordOf(server)['taken']).toBeGreaterThanOrEqual(ATTEMPTS);
}

const lastWordOf = ({ stdout }: Child): Record<string, unknown> =>
  JSON.parse(stdout.trim().split('\n').at(-1) ?? '{}') as Record<string, unknown>;

/** Settled, and later than the option says: as good as never. */
function lateOnes({ ledger }: Scene): number {
  const limitMs = CONNECT_TIMEOUT_MS + SLACK_MS;
  const late = [...ledger.of('failed')].filter(
    ([id, [failed]]) => failed!.atMs - ledger.of('asked').get(id)![0]!.atMs > limitMs,
  );
  return late.length;
}
