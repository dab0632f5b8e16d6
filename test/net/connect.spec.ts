import { describe, expect, it } from '@jest/globals';
import { Buffer } from 'node:buffer';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { connect as connectSocket, createServer } from 'node:net';
import { dirname } from 'node:path';
import { lastValueFrom } from 'rxjs';
import { ConnectionError, type UdsClient } from '../../src/index.js';
import { afterThisTest } from '../support/cleanup.js';
import { clientOf, serve, socketPath } from '../support/nest.js';
import { rawFrame } from '../support/raw-frames.js';
import { RawServer, serverHello } from '../support/raw-server.js';
import { leaveStaleSocket } from '../support/stale.js';
import { closedBeforeAccepting } from '../support/unaccepted.js';
import { until } from '../support/wait.js';

const failureOf = (client: UdsClient): Promise<unknown> => client.connect().catch((error: unknown) => error);

describe('a client without a server', () => {
  it.each<[string, string, string, (path: string) => Promise<void> | void]>([
    ['nothing is there', 'SERVER_NOT_FOUND', 'ENOENT', () => undefined],
    ['its socket file is stale', 'CONNECTION_REFUSED', 'ECONNREFUSED', leaveStaleSocket],
  ])(
    'where %s: %s within connectTimeoutMs, with the path, %s and what to do',
    async (_what, code, errno, make) => {
      const path = socketPath();
      await make(path);
      const client = clientOf(path, { connectTimeoutMs: 150 });
      const startedMs = performance.now();
      const error = await failureOf(client);
      expect(performance.now() - startedMs).toBeLessThan(5000);
      expect(error).toBeInstanceOf(ConnectionError);
      expect(error).toMatchObject({
        code,
        retrySafe: true,
        message: expect.stringMatching(new RegExp(`${path}: the system says ${errno}\\. .*Start the server`)),
      });
      await expect(lastValueFrom(client.send('x', 1))).rejects.toMatchObject({ code });
      await expect(lastValueFrom(client.emit('x', 1))).rejects.toMatchObject({ code });
      if (code === 'CONNECTION_REFUSED') unlinkSync(path);
    },
  );

  it('below a file: SERVER_NOT_FOUND with ENOTDIR', async () => {
    const path = socketPath();
    writeFileSync(path, '');
    expect(await failureOf(clientOf(`${path}/a`, { connectTimeoutMs: 50 }))).toMatchObject({
      code: 'SERVER_NOT_FOUND',
      message: expect.stringContaining('ENOTDIR'),
    });
    unlinkSync(path);
  });

  it.each<[string, (path: string) => void]>([
    ['a plain file', (path) => writeFileSync(path, '')],
    ['a directory', (path) => mkdirSync(path)],
    ['a link that leads to a directory', (path) => symlinkSync(dirname(path), path)],
  ])('at %s: NOT_A_SOCKET at once, since no server will come there by itself', async (_what, make) => {
    const path = socketPath();
    make(path);
    const startedMs = performance.now();
    const client = clientOf(path, { connectTimeoutMs: 60_000 });
    expect(await failureOf(client)).toMatchObject({
      code: 'NOT_A_SOCKET',
      message: expect.stringMatching(
        new RegExp(`${path}: the system says E[A-Z]+\\. .*no socket: correct the path`),
      ),
    });
    await expect(lastValueFrom(client.send('x', 1))).rejects.toMatchObject({ code: 'NOT_A_SOCKET' });
    expect(performance.now() - startedMs).toBeLessThan(30_000);
    rmSync(path, { recursive: true });
  });

  it('at a link that leads to a socket on which nobody listens: CONNECTION_REFUSED', async () => {
    const path = socketPath();
    const stale = `${path}.stale`;
    await leaveStaleSocket(stale);
    symlinkSync(stale, path);
    expect(await failureOf(clientOf(path, { connectTimeoutMs: 50 }))).toMatchObject({
      code: 'CONNECTION_REFUSED',
    });
    for (const each of [path, stale]) unlinkSync(each);
  });

  it('at a path that is too long: PATH_TOO_LONG at once', async () => {
    const path = `/tmp/${'x'.repeat(110)}`;
    expect(await failureOf(clientOf(path, { connectTimeoutMs: 60_000 }))).toMatchObject({
      code: 'PATH_TOO_LONG',
      message: expect.stringMatching(/115 bytes; at most 10[37]/),
    });
  });

  it('whose server ends before it accepts finds the next one', async () => {
    const path = socketPath();
    const dying = createServer().listen(path);
    await once(dying, 'listening');
    const ended = closedBeforeAccepting(dying);
    const connected = clientOf(path, { connectTimeoutMs: 10_000 }).connect();
    await ended;
    await serve([], { path });
    await connected;
  });

  it('connects once one comes within connectTimeoutMs', async () => {
    const path = socketPath();
    const connected = clientOf(path, { connectTimeoutMs: 10_000 }).connect();
    await serve([], { path });
    await connected;
  });

  it('that has given up tries again with the next call', async () => {
    const path = socketPath();
    const client = clientOf(path, { connectTimeoutMs: 20 });
    expect(await failureOf(client)).toMatchObject({ code: 'SERVER_NOT_FOUND' });
    await serve([], { path });
    await client.connect();
  });

  it('that computes for longer than connectTimeoutMs right behind its call is answered all the same', async () => {
    const { path } = await serve([]);
    const client = clientOf(path, { connectTimeoutMs: 150 });
    const call = lastValueFrom(client.send('x', 1)).catch((error: unknown) => error);
    const connected = clientOf(path, { connectTimeoutMs: 150 }).connect();
    for (const endsAtMs = performance.now() + 250; performance.now() < endsAtMs;);
    expect(await call).toMatchObject({ code: 'NO_HANDLER' });
    await connected;
  });
});

describe('a server that accepts', () => {
  it('and never answers the hello: HELLO_TIMEOUT, and no socket is left', async () => {
    const server = await RawServer.listening(socketPath(), { accept: (socket) => socket.resume() });
    const client = clientOf(server.path, { connectTimeoutMs: 80 });
    const startedMs = performance.now();
    expect(await failureOf(client)).toMatchObject({
      code: 'HELLO_TIMEOUT',
      message: expect.stringMatching(new RegExp(`${server.path}.*connectTimeoutMs`)),
    });
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(79);
    await expect(lastValueFrom(client.send('x', 1))).rejects.toMatchObject({ code: 'HELLO_TIMEOUT' });
    await server.socketsClosed();
  });

  it('and closes before its hello: HELLO_LOST after several attempts, safe to retry', async () => {
    const server = await RawServer.listening(socketPath(), { accept: (socket) => socket.end() });
    const client = clientOf(server.path, { connectTimeoutMs: 300 });
    expect(await failureOf(client)).toMatchObject({
      code: 'HELLO_LOST',
      retrySafe: true,
      message: expect.stringContaining(server.path),
    });
    expect(server.sockets.length).toBeGreaterThan(1);
    await expect(lastValueFrom(client.send('x', 1))).rejects.toMatchObject({
      code: 'HELLO_LOST',
      retrySafe: true,
    });
  });

  it('and closes before its hello: HELLO_LOST also where the time ends in the middle of an attempt', async () => {
    const startedMs = performance.now();
    const server = await RawServer.listening(socketPath(), {
      accept: (socket) => {
        socket.resume();
        if (performance.now() - startedMs < 500) socket.end();
      },
    });
    const client = clientOf(server.path, { connectTimeoutMs: 600, maxReconnectDelayMs: 10 });
    expect(await failureOf(client)).toMatchObject({ code: 'HELLO_LOST', retrySafe: true });
    await server.socketsClosed();
  });

  it('and speaks something else: the code says what was wrong', async () => {
    const server = await RawServer.listening(socketPath(), {
      accept: (socket) => socket.resume().write('220 mail.example ESMTP ready\r\n'),
    });
    const client = clientOf(server.path, { connectTimeoutMs: 60_000 });
    expect(await failureOf(client)).toMatchObject({ code: 'BAD_HELLO' });
    expect(server.sockets).toHaveLength(1);
    await server.socketsClosed();
  });

  it('and speaks no version of ours: VERSION_MISMATCH', async () => {
    const server = await RawServer.listening(socketPath(), {
      accept: (socket) => socket.resume().end(serverHello({ chosen: 0 })),
    });
    expect(await failureOf(clientOf(server.path))).toMatchObject({ code: 'VERSION_MISMATCH' });
  });

  it.each([
    ['calls in its turn', rawFrame({ type: 3, id: 1, body: Buffer.alloc(12) }), 'UNEXPECTED_FRAME'],
    ['sends nonsense', rawFrame({ type: 99 }), 'UNKNOWN_TYPE'],
    ['says hello again', serverHello(), 'BAD_HELLO'],
  ])('and %s: the calls in flight fail with a code that says so', async (_what, frame, code) => {
    const server = await RawServer.listening(socketPath());
    const client = clientOf(server.path);
    const failed = expect(lastValueFrom(client.send('x', 1))).rejects.toMatchObject({ code });
    await server.frame(3, 1);
    server.send(frame);
    await failed;
    await until(() => server.sockets[0]?.destroyed === true, 'the connection was closed');
  });

  it('and answers with what can not be read: that call alone fails with BAD_PAYLOAD', async () => {
    const server = await RawServer.listening(socketPath());
    const client = clientOf(server.path);
    const calls = Promise.allSettled([1, 2].map((data) => lastValueFrom(client.send('x', data))));
    await server.frame(3, 2);
    server.send(
      rawFrame({ type: 5, id: 1, flags: 1, body: '{' }),
      rawFrame({ type: 5, id: 2, flags: 2, body: 'ok' }),
    );
    expect(await calls).toMatchObject([{ reason: { code: 'BAD_PAYLOAD' } }, { value: 'ok' }]);
  });

  it('no more, its queue being full: SERVER_BUSY', async () => {
    const path = socketPath();
    const script = `require('node:net').createServer().listen({ path: process.argv[1], backlog: 1 }, () => {
      require('node:fs').writeSync(1, 'listening');
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    })`;
    const child = spawn(process.execPath, ['-e', script, path], { stdio: ['ignore', 'pipe', 'inherit'] });
    afterThisTest(async () => {
      child.kill('SIGKILL');
      await once(child, 'exit');
      unlinkSync(path);
    });
    await once(child.stdout, 'data');
    for (let filler = 0; filler < 2; filler += 1) {
      const socket = connectSocket(path);
      afterThisTest(() => socket.destroy());
      await once(socket, 'connect');
    }
    expect(await failureOf(clientOf(path, { connectTimeoutMs: 100 }))).toMatchObject({
      code: 'SERVER_BUSY',
      message: expect.stringMatching(new RegExp(`${path}.*EAGAIN`)),
    });
  });
});
