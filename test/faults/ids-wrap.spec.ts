import { expect } from '@jest/globals';
import { until } from '../support/wait.js';
import { TYPE, WireTap } from '../support/wire-tap.js';
import { fault } from './support/fault.js';
import { done } from './support/order.js';
import type { Scene } from './support/scene.js';

const LAST_ID = 2 ** 32 - 1;
const HELD = 10;
const CALLS = 5000;
const IN_FLIGHT = 64;
/** Those that are held, and some of the load, get ids before the wrap. */
const FIRST_ID = LAST_ID - 499;
const NAME = 'wrap';

fault(
  'ids wrap at 2^32 under load',
  { promise: 'nothing mixed up', codes: ['CONNECTION_LOST'] },
  async (scene) => {
    const server = await scene.serve({ closeTimeoutMs: 500 });
    const tap = await WireTap.before(scene.path);
    const client = scene.startClient('wrap-client', {
      path: tap.path,
      name: NAME,
      firstId: FIRST_ID,
      inFlight: IN_FLIGHT,
      calls: CALLS,
      held: HELD,
    });
    await client.says(/^the last ones are held$/m);
    await allEnded(scene);

    // Held on both sides of the wrap, all of them taken: not one may be told that it never ran.
    server.signal('SIGTERM');
    expect(await server.exit()).toBe(0);
    client.write('stop\n');
    await done(client);

    const failed = [...scene.ledger.of('failed').keys()].sort();
    expect(failed).toEqual([...named('cut'), ...named('cut-too')].sort());
    // Each cancel reached the call that it was for, and no other.
    const cancelled = reasonsOf(scene).filter(([, note]) => note === 'CALL_ABORTED');
    expect(cancelled.map(([id]) => id).sort()).toEqual(named('cancelled').sort());
    expect(tap.sent.of(TYPE.REQUEST).map(({ id }) => id)).toEqual(expectedIds());
  },
);

const named = (what: string): string[] =>
  Array.from({ length: HELD }, (_, index) => `${NAME}-${what}-${index}`);

const reasonsOf = (scene: Scene): (readonly [id: string, note: string])[] =>
  [...scene.journal.of('aborted')].flatMap(([id, entries]) => entries.map(({ note }) => [id, note] as const));

/** One after the other, without 0. */
function expectedIds(): number[] {
  // Those that are held, two streams, the load, and a call that releases each of the first ones.
  const total = 4 * HELD + 2 + CALLS + HELD;
  return Array.from({ length: total }, (_, index) =>
    FIRST_ID + index <= LAST_ID ? FIRST_ID + index : FIRST_ID + index - LAST_ID,
  );
}

async function allEnded({ journal }: Scene): Promise<void> {
  const ended = (): boolean => journal.count('aborted') === HELD && journal.count('returned') === 2;
  await until(ended, 'the cancelled ones were aborted');
}
