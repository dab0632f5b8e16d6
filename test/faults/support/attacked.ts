import { expect } from '@jest/globals';
import type { UdsServerSettings } from '../../../src/index.js';
import type { Child } from '../../support/child.js';
import { expectGrowth } from './memory.js';
import { done, end } from './order.js';
import type { Scene } from './scene.js';
import { type ServerVitals, vitalsOf } from './vitals.js';

/** What one look at a server takes is some hundred milliseconds. */
const LOOKS = 50;

/** What a process that was attacked may have more of: what the collector has not moved together yet. */
const HEAP_SLACK_BYTES = 8 * 1024 ** 2;

interface Attack {
  readonly options?: Partial<UdsServerSettings>;
  /** Of the client that echoes beside the attack; see programs/steady-client.mjs. */
  readonly honest?: Readonly<Record<string, unknown>>;
  /** What the server may come to hold by the attack, as its options have it; nothing worth a word, unless it is given. */
  readonly bytes?: number;
}

/**
 * Attacks a server while an honest client echoes beside the attack. All of its calls must be answered, on one connection; when
 * all attackers have gone the server must hold what it held before, and end in good order. Its memory must grow meanwhile by
 * no more than its options let it.
 *
 * @returns what it held at the end, and logged.
 */
export async function underAttack(
  scene: Scene,
  { options = {}, honest: more = {}, bytes = 0 }: Attack,
  attack: (server: Child) => Promise<void>,
): Promise<ServerVitals> {
  const server = scene.startWatched({ options });
  await server.says(/^ready$/m);
  const before = await vitalsOf(server);
  const honest = scene.startClient('steady-client', { name: 'honest', inFlight: 4, restMs: 2, ...more });
  await honest.says(/^under way$/m);
  await scene.moreAnswers(100);

  await expectGrowth(server, bytes, async () => await attack(server));

  await scene.moreAnswers(100);
  honest.write('stop\n');
  await done(honest);
  expect([...scene.ledger.of('parted').keys()]).toEqual([]);
  const after = await backToNormal(server, before);
  await end(server);
  for (const [code, count] of Object.entries(after.codes)) scene.row.addCode(code, count);
  return after;
}

/** Those that waited to be read are read to their end in their turn. */
async function backToNormal(server: Child, before: ServerVitals): Promise<ServerVitals> {
  let after = await vitalsOf(server);
  for (let look = 0; after.descriptors !== before.descriptors && look < LOOKS; look += 1)
    after = await vitalsOf(server);
  const { descriptors, resources, listeners, sockets, others } = after;
  expect({ descriptors, resources, listeners, sockets, others }).toEqual({
    descriptors: before.descriptors,
    resources: before.resources,
    listeners: before.listeners,
    sockets: before.sockets,
    others: [],
  });
  expect(after.heapBytes).toBeLessThan(before.heapBytes + HEAP_SLACK_BYTES);
  return after;
}
