import { describe, expect, it } from '@jest/globals';
import { lastValueFrom } from 'rxjs';
import { type UdsClient, UdsRecordBuilder } from '../../src/index.js';
import { clientOf, socketPath } from '../support/nest.js';
import { RawServer } from '../support/raw-server.js';
import { until } from '../support/wait.js';

/** Longer than a test may take: who waits for this has failed it. */
const TOO_LONG_MS = 60_000;

describe("a client's close while it connects to a server that is silent", () => {
  it('ends at once where no call waits for it', async () => {
    const server = await RawServer.listening(socketPath());
    const client = clientOf(server.path, { connectTimeoutMs: TOO_LONG_MS, closeTimeoutMs: TOO_LONG_MS });
    const connecting = client.connect().catch((error: unknown) => error);
    await client.close();
    expect(await connecting).toMatchObject({ code: 'CLIENT_CLOSED' });
  });

  it('ends after closeTimeoutMs; connect() and the calls that wait fail with CLIENT_CLOSED', async () => {
    const server = await RawServer.listening(socketPath(), { accept: (socket) => socket.resume() });
    const client = clientOf(server.path, { connectTimeoutMs: TOO_LONG_MS, closeTimeoutMs: 300 });
    const results = Promise.allSettled([
      client.connect(),
      lastValueFrom(client.send('x', 1)),
      lastValueFrom(client.emit('x', 1)),
    ]);
    await until(() => server.sockets.length === 1, 'it has connected');
    await client.close();
    for (const result of await results) expect(result).toMatchObject({ reason: { code: 'CLIENT_CLOSED' } });
    await server.socketsClosed();
  });
});

describe("a client's close as the first of its connections opens", () => {
  /** The event is with the system in that moment, and the others are not dialled yet. */
  it('leaves none of the others', async () => {
    const server = await RawServer.listening(socketPath());
    const client = clientOf(server.path, { connections: 3, closeTimeoutMs: TOO_LONG_MS });
    for (let round = 0; round < 5; round += 1) {
      await lastValueFrom(client.emit('x', round));
      await client.close();
      await server.socketsClosed();
      expect(() => client.unwrap()).toThrow('Not initialized');
    }
  });
});

describe("a client's close while the last call waits to be sent", () => {
  const CREDIT = 16;

  /** All credit for events is used, so that the next one waits. */
  async function withoutCredit(): Promise<{ client: UdsClient; server: RawServer }> {
    const server = await RawServer.listening(socketPath(), { maxEvents: CREDIT });
    const client = clientOf(server.path, { closeTimeoutMs: TOO_LONG_MS });
    await client.connect();
    for (let event = 0; event < CREDIT; event += 1) await lastValueFrom(client.emit('x', event));
    return { client, server };
  }

  it('ends when its time is up', async () => {
    const { client, server } = await withoutCredit();
    const failed = expect(
      lastValueFrom(client.emit('x', new UdsRecordBuilder(1).setTimeoutMs(100).build())),
    ).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    await client.close();
    await failed;
    await server.socketsClosed();
  });

  it('ends when it is cancelled', async () => {
    const { client, server } = await withoutCredit();
    const abort = new AbortController();
    const failed = expect(
      lastValueFrom(client.emit('x', new UdsRecordBuilder(1).setSignal(abort.signal).build())),
    ).rejects.toMatchObject({ code: 'CALL_ABORTED' });
    const closed = client.close();
    abort.abort();
    await closed;
    await failed;
    await server.socketsClosed();
  });
});
