import { expect } from '@jest/globals';
import type { UdsClientOptions } from '../../src/index.js';
import type { Child } from '../support/child.js';
import { until } from '../support/wait.js';
import { TYPE, WireTap } from '../support/wire-tap.js';
import { fault } from './support/fault.js';
import { done } from './support/order.js';
import type { Scene } from './support/scene.js';

/** In flight as somebody hangs. */
const HELD = 100;
const OTHERS = 50;
const BUSY_MS = 3000;
/** What the promise allows besides. */
const SLACK_MS = 1000;
/** Asks early and is patient. */
const PATIENT = { heartbeatIntervalMs: 300, heartbeatTimeoutMs: 8000 };

fault(
  'SIGSTOP the server, then SIGCONT; a 3 s busy loop in the server; one in the client',
  {
    promise: 'noticed or survived as the options say, back by itself',
    codes: ['HEARTBEAT_TIMEOUT', 'HELLO_TIMEOUT'],
  },
  async (scene) => {
    await stopServer(scene);
    await surviveBusyServer(scene);
    await noticeBusyServer(scene);
    await surviveBusyClient(scene);
    await surviveBusyClientThatHasAsked(scene);
  },
);

interface Told {
  readonly order: 'askThenCompute' | 'call' | 'compute' | 'connect' | 'end' | 'release';
  readonly pattern?: string;
  readonly count?: number;
  readonly ms?: number;
}

const tell = (client: Child, told: Told): unknown => client.write(`${JSON.stringify(told)}\n`);

/** The ids of one client's calls of which its ledger says so. */
const idsOf = ({ ledger }: Scene, verb: string, name: string): string[] =>
  [...ledger.of(verb).keys()].filter((id) => id.startsWith(`${name}-`));

async function comeTo(scene: Scene, verb: string, name: string, count: number): Promise<void> {
  await until(() => idsOf(scene, verb, name).length >= count, `${count} of ${name} are ${verb}`);
}

/** A client with calls in flight that are answered when they are released, and no sooner. */
async function withHeld(
  scene: Scene,
  name: string,
  options: Partial<UdsClientOptions>,
  path = scene.path,
): Promise<Child> {
  const ranBefore = scene.journal.count('ran');
  const client = scene.startClient('told-client', { path, name, options });
  tell(client, { order: 'connect' });
  tell(client, { order: 'call', pattern: 'hold', count: HELD });
  await until(() => scene.journal.count('ran') - ranBefore === HELD, 'all of them run');
  return client;
}

/** All that was asked for after the failures, and how it ended: none of it fails. */
async function endWell(scene: Scene, client: Child, name: string, failed: number): Promise<void> {
  tell(client, { order: 'call', pattern: 'echo', count: OTHERS });
  tell(client, { order: 'end' });
  await done(client);
  expect(idsOf(scene, 'failed', name)).toHaveLength(failed);
  expect(idsOf(scene, 'answered', name)).toHaveLength(idsOf(scene, 'asked', name).length - failed);
}

async function end(server: Child): Promise<void> {
  server.signal('SIGTERM');
  expect(await server.exit()).toBe(0);
  expect(server.stdout + server.stderr).toBe('standing by\nready\n');
}

/** Lost is also what failed later than it was to: as good as never. */
function countLate(scene: Scene, name: string, code: string, count: number, limitMs: number): void {
  const failed = idsOf(scene, 'failed', name).map((id) => scene.ledger.of('failed').get(id)![0]!);
  const withCode = failed.filter(({ note }) => note === code);
  expect(withCode).toHaveLength(count);
  scene.row.add({ lost: withCode.filter(({ atMs }) => atMs > limitMs + SLACK_MS).length });
}

async function stopServer(scene: Scene): Promise<void> {
  const [name, connectTimeoutMs] = ['stopped', 1000];
  const server = await scene.serve();
  const beat = { heartbeatIntervalMs: 500, heartbeatTimeoutMs: 1000 };
  const client = await withHeld(scene, name, { ...beat, connectTimeoutMs });
  server.signal('SIGSTOP');
  const stoppedAtMs = Date.now();
  await comeTo(scene, 'failed', name, HELD);
  countLate(scene, name, 'HEARTBEAT_TIMEOUT', HELD, stoppedAtMs + 1500);

  const askedAtMs = Date.now();
  tell(client, { order: 'call', pattern: 'echo', count: OTHERS });
  await comeTo(scene, 'failed', name, HELD + OTHERS);
  countLate(scene, name, 'HELLO_TIMEOUT', OTHERS, askedAtMs + connectTimeoutMs);

  server.signal('SIGCONT');
  await client.says(/^back$/m);
  await until(() => scene.journal.count('aborted') === HELD, 'what nobody waits for is told');
  await endWell(scene, client, name, HELD + OTHERS);
  await end(server);
}

/** The server is asked meanwhile, and answers when it can. */
async function surviveBusyServer(scene: Scene): Promise<void> {
  const name = 'patient';
  const server = await scene.serve();
  const tap = await WireTap.before(scene.path);
  const client = await withHeld(scene, name, PATIENT, tap.path);
  const pingsBefore = tap.sent.of(TYPE.PING).length;
  tell(client, { order: 'call', pattern: 'busy', count: 1, ms: BUSY_MS });
  await until(() => tap.sent.of(TYPE.PING).length > pingsBefore, 'it is asked');
  tell(client, { order: 'call', pattern: 'echo', count: OTHERS });
  expect(idsOf(scene, 'answered', name)).toEqual([]);
  await comeTo(scene, 'answered', name, 1 + OTHERS);
  tell(client, { order: 'release' });
  await endWell(scene, client, name, 0);
  await tap.close();
  await end(server);
}

/** What was in flight fails, what comes behind it waits until the server has time; whatever ran, ran once. */
async function noticeBusyServer(scene: Scene): Promise<void> {
  const name = 'impatient';
  const server = await scene.serve();
  const beat = { heartbeatIntervalMs: 300, heartbeatTimeoutMs: 700 };
  const client = await withHeld(scene, name, { ...beat, connectTimeoutMs: 10_000 });
  const ranBefore = scene.journal.count('ran');
  tell(client, { order: 'call', pattern: 'busy', count: 1, ms: BUSY_MS });
  await until(() => scene.journal.count('ran') > ranBefore, 'the server is busy');
  const busyAtMs = Date.now();
  // They lie in the socket of a server that may come to them after they have failed.
  tell(client, { order: 'call', pattern: 'echo', count: OTHERS });
  await comeTo(scene, 'failed', name, HELD + 1 + OTHERS);
  countLate(scene, name, 'HEARTBEAT_TIMEOUT', HELD + 1 + OTHERS, busyAtMs + 1000);
  expect(Date.now() - busyAtMs).toBeLessThan(BUSY_MS);

  tell(client, { order: 'call', pattern: 'echo', count: OTHERS });
  await client.says(/^back$/m);
  await comeTo(scene, 'answered', name, OTHERS);
  await endWell(scene, client, name, HELD + 1 + OTHERS);
  await end(server);
}

/** Its answers come meanwhile, and its time for them is over. */
async function surviveBusyClient(scene: Scene): Promise<void> {
  const name = 'busy';
  const server = await scene.serve();
  const client = await withHeld(scene, name, { heartbeatIntervalMs: 300, heartbeatTimeoutMs: 1000 });
  const ranBefore = scene.journal.count('ran');
  tell(client, { order: 'call', pattern: 'slow', count: OTHERS, ms: 1500 });
  await until(() => scene.journal.count('ran') - ranBefore === OTHERS, 'others run too');
  tell(client, { order: 'compute', ms: BUSY_MS });
  await client.says(/^computed$/m);
  await comeTo(scene, 'answered', name, OTHERS);
  tell(client, { order: 'release' });
  await endWell(scene, client, name, 0);
  await end(server);
}

/** As its own stall ends, a little behind the time for the answer, that lies in the socket and was not read. */
async function surviveBusyClientThatHasAsked(scene: Scene): Promise<void> {
  const [name, heartbeatTimeoutMs] = ['asking', 2500];
  const server = await scene.serve();
  const client = await withHeld(scene, name, { heartbeatIntervalMs: 300, heartbeatTimeoutMs });
  server.signal('SIGSTOP');
  tell(client, { order: 'askThenCompute', ms: heartbeatTimeoutMs + 500 });
  await client.says(/^asked$/m);
  server.signal('SIGCONT');
  await client.says(/^computed$/m);
  tell(client, { order: 'release' });
  await comeTo(scene, 'answered', name, 2 * HELD);
  await endWell(scene, client, name, 0);
  await end(server);
}
