import { beforeEach, describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { MessagePattern } from '@nestjs/microservices';
import { existsSync } from 'node:fs';
import type { Socket } from 'node:net';
import { lastValueFrom } from 'rxjs';
import { ConnectionError } from '../../src/index.js';
import { afterThisTest } from '../support/cleanup.js';
import { clientOf, serve, socketPath } from '../support/nest.js';
import { rawFrame } from '../support/raw-frames.js';
import { RawServer } from '../support/raw-server.js';
import { Gate, until } from '../support/wait.js';

let running = 0;
let gate = new Gate();

beforeEach(() => {
  running = 0;
  gate = new Gate();
});

@Controller()
class Answers {
  @MessagePattern('who')
  who(): string {
    return 'first';
  }

  @MessagePattern('gated')
  async gated(): Promise<string> {
    running += 1;
    await gate.opened;
    return 'done';
  }
}

@Controller()
class Others {
  @MessagePattern('who')
  who(): string {
    return 'second';
  }
}

describe('a server that is replaced', () => {
  it('after it was closed: the next call reaches the new one', async () => {
    const { app, path } = await serve([Answers]);
    const client = clientOf(path);
    expect(await lastValueFrom(client.send('who', 1))).toBe('first');
    await app.close();
    await serve([Others], { path });
    expect(await lastValueFrom(client.send('who', 1))).toBe('second');
  });

  it('while calls come: each is answered by one of the two', async () => {
    const { app, path } = await serve([Answers], { closeTimeoutMs: 10_000 });
    const client = clientOf(path, { connectTimeoutMs: 10_000 });
    const answers: string[] = [];
    const done = new Gate();
    afterThisTest(() => done.open());
    const caller = (async () => {
      while (!done.isOpen) answers.push(await lastValueFrom(client.send<string>('who', 1)));
    })();
    await until(() => answers.length > 10, 'the first one answers');
    await app.close();
    await serve([Others], { path });
    await until(() => answers.at(-1) === 'second', 'the second one answers');
    done.open();
    await caller;
    expect(new Set(answers)).toEqual(new Set(['first', 'second']));
  });

  it('while a call runs there: that one is answered, and new ones wait for the new one', async () => {
    const { app, path } = await serve([Answers], { closeTimeoutMs: 10_000 });
    const client = clientOf(path, { connectTimeoutMs: 10_000 });
    const inFlight = lastValueFrom(client.send('gated', 1));
    await until(() => running === 1, 'the call runs');
    const closed = app.close();
    await serveWhenFree(path);
    expect(await lastValueFrom(client.send('who', 1))).toBe('second');
    gate.open();
    expect(await inFlight).toBe('done');
    await closed;
  });
});

describe('calls that wait behind those that run', () => {
  it('go to the new server as soon as the old one leaves', async () => {
    const { app, path } = await serve([Answers], { closeTimeoutMs: 10_000, maxInFlight: 16 });
    const client = clientOf(path, { connectTimeoutMs: 10_000 });
    const inFlight = Array.from({ length: 16 }, () => lastValueFrom(client.send('gated', 1)));
    await until(() => running === 16, 'as many run as may');
    const waiting = lastValueFrom(client.send('who', 1));
    const closed = app.close();
    await serveWhenFree(path);
    expect(await waiting).toBe('second');
    gate.open();
    expect(await Promise.all(inFlight)).toHaveLength(16);
    await closed;
  });
});

/** The one that closes takes its file away first, which may take a moment. */
async function serveWhenFree(path: string): Promise<void> {
  await until(() => !existsSync(path), 'the path is free');
  await serve([Others], { path });
}

describe('a connection that is lost', () => {
  it("fails the calls in flight with CONNECTION_LOST where the server's sockets are destroyed", async () => {
    const { path, server } = await serve([Answers]);
    const sockets: Socket[] = [];
    server.on('connection', (socket) => sockets.push(socket));
    const client = clientOf(path);
    const calls = Array.from({ length: 5 }, () => lastValueFrom(client.send('gated', 1)));
    const results = Promise.allSettled(calls);
    await until(() => running === 5, 'all run');
    for (const socket of sockets) socket.destroy();
    for (const result of await results) {
      expect(result).toMatchObject({
        status: 'rejected',
        reason: { code: 'CONNECTION_LOST', retrySafe: false },
      });
      expect(result).toHaveProperty('reason', expect.any(ConnectionError));
    }
    expect(running).toBe(5);
  });

  it('is made anew for the next call', async () => {
    const { path, server } = await serve([Answers]);
    const sockets: Socket[] = [];
    server.on('connection', (socket) => sockets.push(socket));
    const client = clientOf(path);
    for (let round = 1; round <= 3; round += 1) {
      expect(await lastValueFrom(client.send('who', 1))).toBe('first');
      expect(sockets).toHaveLength(round);
      const lost = new Promise((resolve) => client.on('close', resolve));
      sockets.at(-1)?.destroy();
      await lost;
    }
  });

  it('is made anew in the moment in which it is lost, too', async () => {
    const { path } = await serve([Answers]);
    const client = clientOf(path);
    for (let round = 0; round < 5; round += 1) {
      expect(await lastValueFrom(client.send('who', 1))).toBe('first');
      client.unwrap<Socket>().destroy();
      // the socket's `close` event is still to come
      expect(await lastValueFrom(client.send('who', 1))).toBe('first');
    }
  });

  it.each(['ends', 'is destroyed'])(
    'in the middle of an answer, where the server %s: CONNECTION_LOST because of FRAME_CUT, and the next call connects',
    async (how) => {
      const server = await RawServer.listening(socketPath());
      const client = clientOf(server.path);
      const results = Promise.allSettled([1, 2].map((data) => lastValueFrom(client.send('x', data))));
      await server.frame(3, 2);
      const answer = rawFrame({ type: 5, id: 1, flags: 2, body: 'cut short' });
      const socket = server.sockets[0]!;
      await new Promise((resolve) => socket.write(answer.subarray(0, -3), resolve));
      if (how === 'ends') socket.end();
      else socket.destroy();
      for (const result of await results) {
        expect(result).toMatchObject({
          reason: { code: 'CONNECTION_LOST', retrySafe: false, cause: { code: 'FRAME_CUT' } },
        });
        expect(result).toHaveProperty('reason', expect.any(ConnectionError));
      }
      const next = lastValueFrom(client.send('x', 3));
      await until(() => server.frames.filter(({ type }) => type === 3).length === 3, 'it connected anew');
      server.send(rawFrame({ type: 5, id: 1, flags: 2, body: 'whole' }));
      expect(await next).toBe('whole');
      expect(server.sockets).toHaveLength(2);
    },
  );

  it('inside a hello is dialled again at once', async () => {
    const path = socketPath();
    let connections = 0;
    const flaky = await RawServer.listening(path, {
      accept: (socket) => {
        connections += 1;
        socket.destroy();
      },
    });
    const client = clientOf(path, { connectTimeoutMs: 10_000 });
    const answer = lastValueFrom(client.send('who', 1));
    await until(() => connections >= 2, 'it tried again');
    await flaky.close();
    await serve([Answers], { path });
    expect(await answer).toBe('first');
  });
});

describe('a server that leaves with its last word', () => {
  it('has the calls that it never took fail with SERVER_CLOSING, safe to retry, and the others with CONNECTION_LOST', async () => {
    const server = await RawServer.listening(socketPath());
    const client = clientOf(server.path);
    const results = Promise.allSettled([1, 2, 3].map((data) => lastValueFrom(client.send('who', data))));
    await server.frame(3, 3);
    const reason = JSON.stringify({ code: 'SERVER_CLOSING', message: 'over' });
    server.send(rawFrame({ type: 13, id: 1, flags: 8 | 1, body: reason }));
    for (const socket of server.sockets) socket.end();
    expect(await results).toMatchObject([
      { reason: { code: 'CONNECTION_LOST', retrySafe: false } },
      { reason: { code: 'SERVER_CLOSING', retrySafe: true, message: 'over' } },
      { reason: { code: 'SERVER_CLOSING', retrySafe: true, message: 'over' } },
    ]);
  });
});
