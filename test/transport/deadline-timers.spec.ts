import { beforeEach, describe, expect, it } from '@jest/globals';
import { type UdsClient, UdsRecordBuilder } from '../../src/index.js';
import { Endless, Seen, seenAnew } from '../support/cancel-targets.js';
import { clientOf, serve, socketPath } from '../support/nest.js';
import { rawCall } from '../support/raw-frames.js';
import { RawPeer } from '../support/raw-peer.js';
import { RawServer } from '../support/raw-server.js';
import { until } from '../support/wait.js';
import { TYPE } from '../support/wire-tap.js';

const COUNT = 1000;
const HANDFUL = 5;

let seen = new Seen();

beforeEach(() => {
  seen = seenAnew();
});

/** Timers that keep the process open. */
const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;

/** Each call's time is up before that of the call before it, so that each is the next to be watched. */
const limitsMs = Array.from({ length: COUNT }, (_, call) => 60_000 - 10 * call);

function callAll(client: UdsClient): void {
  for (const limitMs of limitsMs) {
    const record = new UdsRecordBuilder('x').setTimeoutMs(limitMs).build();
    client.send('x', record).subscribe({ error: () => undefined });
  }
}

describe('a thousand calls with a deadline share a timer', () => {
  it('on a client, where they are in flight', async () => {
    const server = await RawServer.listening(socketPath());
    const client = clientOf(server.path, { closeTimeoutMs: 40 });
    await client.connect();
    const before = timers();
    callAll(client);
    await server.frame(TYPE.REQUEST, COUNT);
    expect(timers() - before).toBeLessThanOrEqual(HANDFUL);
  });

  it('on a client, where they wait to be sent', async () => {
    const server = await RawServer.listening(socketPath(), { greet: false });
    const client = clientOf(server.path, { closeTimeoutMs: 40 });
    const before = timers();
    callAll(client);
    await until(() => server.sockets.length === 1, 'it has come');
    expect(timers() - before).toBeLessThanOrEqual(HANDFUL);
  });

  it('on a server', async () => {
    const { path } = await serve([Endless]);
    const peer = await RawPeer.greeted(path);
    const before = timers();
    for (const [call, timeoutMs] of limitsMs.entries()) {
      peer.send(rawCall({ id: call + 1, pattern: 'promise', payload: 'x', timeoutMs }));
      if (call % 100 === 0) await until(() => seen.started === call + 1, 'it is at work');
    }
    await until(() => seen.started === COUNT, 'all are at work');
    expect(timers() - before).toBeLessThanOrEqual(HANDFUL);
  });
});
