import { beforeEach, describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { Ctx, EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { existsSync } from 'node:fs';
import { lastValueFrom } from 'rxjs';
import { UdsContext, type UdsError, UdsServer } from '../../src/index.js';
import { clientOf, serve, serveAndConnect, socketPath } from '../support/nest.js';
import { rawCall } from '../support/raw-frames.js';
import { RawPeer } from '../support/raw-peer.js';
import { Gate, turns, until } from '../support/wait.js';

let gate = new Gate();
let running = 0;
let finished = 0;
let aborted: UdsError[] = [];

beforeEach(() => {
  gate = new Gate();
  running = finished = 0;
  aborted = [];
});

@Controller()
class Slow {
  @MessagePattern('gated')
  async gated(): Promise<string> {
    running += 1;
    await gate.opened;
    finished += 1;
    return 'done';
  }

  @EventPattern('gated-event')
  async gatedEvent(@Payload() _data: unknown): Promise<void> {
    running += 1;
    await gate.opened;
    finished += 1;
  }

  @MessagePattern('endless')
  endless(@Ctx() context: UdsContext): Promise<void> {
    running += 1;
    return new Promise((resolve) => {
      context.signal.addEventListener('abort', () => {
        aborted.push(context.signal.reason as UdsError);
        resolve();
      });
    });
  }

  @MessagePattern('ping')
  ping(): string {
    return 'pong';
  }
}

const PATIENT = { closeTimeoutMs: 10_000 };

/** Whether a promise is still open after some turns of the event loop. */
async function isPending(promise: Promise<unknown>): Promise<boolean> {
  let isSettled = false;
  const settle = (): void => void (isSettled = true);
  promise.then(settle, settle);
  await turns(10);
  return !isSettled;
}

describe("a client's close", () => {
  it('waits for the calls that run, and those that still wait to be sent', async () => {
    const { path } = await serve([Slow], { maxInFlight: 16 });
    const client = clientOf(path, PATIENT);
    const calls = Array.from({ length: 20 }, () => lastValueFrom(client.send('gated', 1)));
    await until(() => running === 16, 'some run');
    const closed = client.close();
    expect(await isPending(closed)).toBe(true);
    gate.open();
    await closed;
    expect(await Promise.all(calls)).toHaveLength(20);
    expect(() => client.unwrap()).toThrow('Not initialized');
  });

  it('sends what was called before it had connected', async () => {
    const { path } = await serve([Slow]);
    const client = clientOf(path, PATIENT);
    const answer = lastValueFrom(client.send('ping', 1));
    await client.close();
    expect(await answer).toBe('pong');
  });

  it('cuts after closeTimeoutMs: what still runs fails with CLIENT_CLOSED, and its handler is told', async () => {
    const { path } = await serve([Slow]);
    const client = clientOf(path, { closeTimeoutMs: 40 });
    const failed = expect(lastValueFrom(client.send('endless', 1))).rejects.toMatchObject({
      code: 'CLIENT_CLOSED',
    });
    await until(() => running === 1, 'the call runs');
    await client.close();
    await failed;
    await until(() => aborted.length === 1, 'the handler was told');
  });

  it('cuts what waits for a server that is not there', async () => {
    const { path, app } = await serve([Slow]);
    await app.close();
    const client = clientOf(path, {
      closeTimeoutMs: 40,
      connectTimeoutMs: 60_000,
      reconnectDelayMs: 5000,
      maxReconnectDelayMs: 5000,
    });
    const failed = expect(lastValueFrom(client.send('ping', 1))).rejects.toMatchObject({
      code: 'CLIENT_CLOSED',
    });
    const startedMs = performance.now();
    await client.close();
    await failed;
    expect(performance.now() - startedMs).toBeLessThan(4000);
  });

  it('may be asked for twice, and where there never was a connection', async () => {
    const { path } = await serve([Slow]);
    const client = clientOf(path);
    await client.close();
    await client.connect();
    await Promise.all([client.close(), client.close()]);
    await client.close();
  });

  it('is no end: a later call connects again', async () => {
    const { client } = await serveAndConnect([Slow]);
    await client.close();
    expect(await lastValueFrom(client.send('ping', 1))).toBe('pong');
  });

  it('leaves the server without a connection and without a line of log', async () => {
    const { server, client, log } = await serveAndConnect([Slow]);
    expect(await lastValueFrom(client.send('ping', 1))).toBe('pong');
    await client.close();
    const count = (): Promise<number> =>
      new Promise((resolve) => server.unwrap().getConnections((_error, connections) => resolve(connections)));
    let connections = await count();
    await until(() => (void count().then((now) => (connections = now)), connections === 0), 'none is left');
    expect(log.troubles).toEqual([]);
  });
});

describe("a server's close", () => {
  it('takes the path away, then waits for the calls and events that run', async () => {
    const { app, server, path, client } = await serveAndConnect([Slow], PATIENT);
    const answer = lastValueFrom(client.send('gated', 1));
    await lastValueFrom(client.emit('gated-event', 1));
    await until(() => running === 2, 'both run');
    const closed = server.close();
    await until(() => !existsSync(path), 'the path is gone');
    // Beyond the while in which it still accepts.
    await turns(100);
    expect(await isPending(closed)).toBe(true);
    gate.open();
    expect(await answer).toBe('done');
    await closed;
    expect(finished).toBe(2);
    await app.close();
  });

  it('cuts after closeTimeoutMs: what still runs fails with CONNECTION_LOST or SERVER_CLOSING', async () => {
    const { app, client } = await serveAndConnect([Slow], { closeTimeoutMs: 40 });
    const failed = lastValueFrom(client.send('endless', 1)).catch((error: unknown) => error);
    await until(() => running === 1, 'the call runs');
    await app.close();
    expect(await failed).toMatchObject({ code: 'CONNECTION_LOST', retrySafe: false });
    await until(() => aborted.length === 1, 'the handler was told');
    expect(aborted[0]).toMatchObject({ code: 'SERVER_CLOSING' });
  });

  it('cuts with a last word that names the last request it took', async () => {
    const { app, path } = await serve([Slow], { closeTimeoutMs: 40 });
    const peer = await RawPeer.greeted(path);
    peer.send(...[7, 9].map((id) => rawCall({ id, pattern: 'endless', payload: 'x' })));
    await until(() => running === 2, 'both run');
    await app.close();
    await peer.closed();
    const [asked, last, ...more] = peer.frames.filter(({ type }) => type === 13);
    expect(asked).toMatchObject({ id: 0, flags: 0 });
    expect(last).toMatchObject({ id: 9, flags: 8 | 1 });
    expect(JSON.parse(last!.body.toString())).toMatchObject({ code: 'SERVER_CLOSING' });
    expect(more).toEqual([]);
  });

  it('does not wait for a client that is idle, or silent', async () => {
    const { app, path, client } = await serveAndConnect([Slow], { closeTimeoutMs: 15_000 });
    const silent = await RawPeer.to(path);
    expect(await lastValueFrom(client.send('ping', 1))).toBe('pong');
    await app.close();
    await silent.closed();
  });

  it('may be asked for several times at once', async () => {
    const { server, client } = await serveAndConnect([Slow], { closeTimeoutMs: 15_000 });
    const answer = lastValueFrom(client.send('gated', 1));
    await until(() => running === 1, 'the call runs');
    const closed = [server.close(), server.close(), server.close()];
    gate.open();
    expect(await answer).toBe('done');
    await Promise.all(closed);
    await server.close();
  });

  it('in the middle of listen leaves nothing behind', async () => {
    for (let round = 0; round < 5; round += 1) {
      const path = socketPath();
      const server = new UdsServer({ path });
      const listened = new Promise<unknown>((resolve) => server.listen(resolve));
      await server.close();
      await listened;
      expect(existsSync(path)).toBe(false);
    }
  });

  it('lets the same instance listen again', async () => {
    const path = socketPath();
    const server = new UdsServer({ path });
    server.addHandler('ping', async () => 'pong');
    for (let round = 0; round < 2; round += 1) {
      await new Promise<unknown>((resolve) => server.listen(resolve));
      const client = clientOf(path);
      expect(await lastValueFrom(client.send('ping', 1))).toBe('pong');
      await client.close();
      await server.close();
    }
  });
});

describe('a server that listens again while its old connections still run', () => {
  it('serves, and its next close closes the new ones', async () => {
    const path = socketPath();
    const server = new UdsServer({ path, ...PATIENT });
    const listen = (): Promise<unknown> => new Promise((resolve) => server.listen(resolve));
    server.addHandler('gated', () => gate.opened.then(() => 'done'));
    server.addHandler('ping', async () => 'pong');
    await listen();
    const old = clientOf(path);
    await old.connect();
    const answer = lastValueFrom(old.send('gated', 1));
    expect(await lastValueFrom(old.send('ping', 1))).toBe('pong');
    const firstClose = server.close();
    await until(() => !existsSync(path), 'the path is free');

    expect(await listen()).toBeUndefined();
    const netServer = server.unwrap();
    gate.open();
    await firstClose;
    expect(await answer).toBe('done');
    expect(await lastValueFrom(clientOf(path).send('ping', 1))).toBe('pong');
    expect(server.unwrap()).toBe(netServer);
    await server.close();
    expect({ isListening: netServer.listening, isThere: existsSync(path) }).toEqual({
      isListening: false,
      isThere: false,
    });
  });
});

describe('status', () => {
  it('of client and server tells what was last', async () => {
    const { app, server, client } = await serveAndConnect([Slow]);
    const ofServer: string[] = [];
    const ofClient: string[] = [];
    server.status.subscribe((status) => ofServer.push(status));
    client.status.subscribe((status) => ofClient.push(status));
    await client.close();
    await client.connect();
    await app.close();
    await until(() => ofClient.length === 4, 'the client noticed');
    expect(ofServer).toEqual(['connected', 'disconnected']);
    expect(ofClient).toEqual(['connected', 'disconnected', 'connected', 'disconnected']);
  });
});
