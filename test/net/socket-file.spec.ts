import { describe, expect, it } from '@jest/globals';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { lastValueFrom } from 'rxjs';
import { ConnectionError, UdsServer, type UdsServerOptions, UsageError } from '../../src/index.js';
import { afterThisTest } from '../support/cleanup.js';
import { clientOf, serve, socketPath } from '../support/nest.js';
import { RawServer } from '../support/raw-server.js';
import { leaveStaleSocket } from '../support/stale.js';
import { tempFolder } from '../support/temp.js';
import { closedBeforeAccepting } from '../support/unaccepted.js';

@Module({})
class Empty {}

/** A server through Nest, so that an error has come through Nest's callback; it answers `who` with its number. */
async function listen(options: UdsServerOptions, number = 1): Promise<UdsServer> {
  const server = new UdsServer(options);
  server.addHandler('who', async () => number);
  const app = await NestFactory.createMicroservice(Empty, {
    strategy: server,
    logger: false,
    abortOnError: false,
  });
  afterThisTest(() => app.close());
  await app.listen();
  return server;
}

/** What listening fails with, and that it leaves nothing behind in the folder. */
async function failure(options: UdsServerOptions & { readonly path: string }): Promise<unknown> {
  const entries = (): string[] => {
    try {
      return readdirSync(dirname(options.path)).sort();
    } catch {
      return [];
    }
  };
  const before = entries();
  const error: unknown = await listen(options).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(entries()).toEqual(before);
  return error;
}

const who = async (path: string): Promise<unknown> => {
  const client = clientOf(path);
  const answer: unknown = await lastValueFrom(client.send('who', 1));
  await client.close();
  return answer;
};

describe('a path', () => {
  const SUFFIX_BYTES = '.lock.XXXXXX/XXXXXX'.length;
  const LIMIT = (process.platform === 'darwin' ? 103 : 107) - SUFFIX_BYTES;

  it('may have as many bytes as fit with what is added to bind it', async () => {
    const folder = tempFolder();
    const path = join(folder, 'x'.repeat(LIMIT - folder.length - 1));
    await listen({ path });
    expect(await who(path)).toBe(1);
  });

  it.each([
    ['one byte more', 'x', 1],
    ['characters of several bytes, which are fewer than the limit', 'ä', 0.5],
  ])('is too long with %s: PATH_TOO_LONG, with both lengths', async (_what, character, factor) => {
    const folder = tempFolder();
    const count = Math.floor((LIMIT - folder.length) * factor) + (factor === 1 ? 0 : 1);
    const path = join(folder, character.repeat(count));
    const error = await failure({ path });
    expect(error).toBeInstanceOf(UsageError);
    expect(error).toMatchObject({
      code: 'PATH_TOO_LONG',
      message: expect.stringMatching(new RegExp(`${Buffer.byteLength(path)} bytes; at most ${LIMIT} `)),
    });
  });

  it('in a directory that is missing: DIRECTORY_MISSING, and it is not made', async () => {
    const folder = tempFolder();
    expect(await failure({ path: join(folder, 'missing', 'a.sock') })).toMatchObject({
      code: 'DIRECTORY_MISSING',
      message: expect.stringContaining(join(folder, 'missing')),
    });
    expect(readdirSync(folder)).toEqual([]);
  });

  it('below a file: DIRECTORY_MISSING', async () => {
    const folder = tempFolder({ mayLeave: /^file$/ });
    writeFileSync(join(folder, 'file'), '');
    expect(await failure({ path: join(folder, 'file', 'a.sock') })).toMatchObject({
      code: 'DIRECTORY_MISSING',
      message: expect.stringContaining('no directory'),
    });
  });

  it.each<[string, (path: string) => void]>([
    ['file', (path) => writeFileSync(path, 'precious')],
    ['directory', (path) => mkdirSync(path)],
    ['symbolic link', (path) => symlinkSync('/nowhere', path)],
  ])('that is a %s: NOT_A_SOCKET, and it is left untouched', async (kind, make) => {
    const path = socketPath();
    make(path);
    const { ino, mtimeMs } = lstatSync(path);
    const error = await failure({ path });
    expect(error).toBeInstanceOf(UsageError);
    expect(error).toMatchObject({ code: 'NOT_A_SOCKET', message: expect.stringContaining(`is a ${kind}`) });
    expect(lstatSync(path)).toMatchObject({ ino, mtimeMs });
    if (kind === 'file') expect(readFileSync(path, 'utf8')).toBe('precious');
    rmSync(path, { recursive: true });
  });

  it('that is a link to a live socket: NOT_A_SOCKET', async () => {
    const path = socketPath();
    await listen({ path });
    const link = `${path}.link`;
    symlinkSync(path, link);
    expect(await failure({ path: link })).toMatchObject({ code: 'NOT_A_SOCKET' });
    expect(await who(link)).toBe(1);
    unlinkSync(link);
  });
});

describe('a socket file that is there already', () => {
  it('with a live server: ADDRESS_IN_USE with its pid, and that one goes on', async () => {
    const path = socketPath();
    await listen({ path });
    const { ino } = lstatSync(path);
    const error = await failure({ path });
    expect(error).toBeInstanceOf(ConnectionError);
    expect(error).toMatchObject({
      code: 'ADDRESS_IN_USE',
      message: expect.stringMatching(new RegExp(`${path}.* ${process.pid}\\b`)),
    });
    expect(lstatSync(path).ino).toBe(ino);
    expect(await who(path)).toBe(1);
  });

  it('with a server that is silent: ADDRESS_IN_USE after probeTimeoutMs, and no connection is left there', async () => {
    const path = socketPath();
    const silent = await RawServer.listening(path, { accept: (socket) => socket.resume() });
    const startedMs = performance.now();
    expect(await failure({ path, probeTimeoutMs: 60 })).toMatchObject({
      code: 'ADDRESS_IN_USE',
      message: expect.stringContaining('did not say who'),
    });
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(59);
    await silent.socketsClosed();
    expect(silent.sockets).toHaveLength(1);
  });

  it('with a server that speaks something else: ADDRESS_IN_USE', async () => {
    const path = socketPath();
    await RawServer.listening(path, { accept: (socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n') });
    expect(await failure({ path })).toMatchObject({ code: 'ADDRESS_IN_USE' });
  });

  it('and is stale: it is replaced', async () => {
    const path = socketPath();
    await leaveStaleSocket(path);
    const { ino } = lstatSync(path);
    await listen({ path });
    expect(lstatSync(path).ino).not.toBe(ino);
    expect(await who(path)).toBe(1);
    expect(readdirSync(dirname(path))).toEqual(['app.sock']);
  });
});

describe('a path whose server dies as it is asked', () => {
  it('before it accepts: is taken', async () => {
    const path = socketPath();
    const dying = createServer().listen(path);
    await once(dying, 'listening');
    const ended = closedBeforeAccepting(dying);
    await Promise.all([ended, listen({ path })]);
    expect(await who(path)).toBe(1);
  });

  it('its connections first, as the system closes the files of a killed process: is taken', async () => {
    const path = socketPath();
    const dying = createServer((socket) => {
      socket.destroy();
      met += 1;
      if (met === 3) dying.close();
    }).listen(path);
    let met = 0;
    await once(dying, 'listening');
    await listen({ path });
    expect(met).toBe(3);
    expect(await who(path)).toBe(1);
  });
});

describe('the mode of the socket file', () => {
  const modeOf = (path: string): string => (lstatSync(path).mode & 0o7777).toString(8);

  it('is 600 by default', async () => {
    const path = socketPath();
    await listen({ path });
    expect(modeOf(path)).toBe('600');
  });

  it.each(['0', '600', '660', '666', '777'])('is as asked for: %s, whatever the umask', async (text) => {
    const mode = Number.parseInt(text, 8);
    const path = socketPath();
    const umask = process.umask(0o077);
    try {
      await listen({ path, mode });
    } finally {
      process.umask(umask);
    }
    expect(modeOf(path)).toBe(text);
  });

  it('is right from the first moment in which the file can be seen, and it listens by then', async () => {
    const spy = `
      const { lstatSync } = require('node:fs');
      const { connect } = require('node:net');
      const { parentPort, workerData: path } = require('node:worker_threads');
      const modes = new Set();
      parentPort.postMessage('ready');
      const endsAt = Date.now() + 10000;
      while (modes.size === 0 && Date.now() < endsAt) {
        try { modes.add(lstatSync(path).mode & 0o7777) } catch {}
      }
      const socket = connect(path);
      for (let look = 0; look < 2000; look++) modes.add(lstatSync(path).mode & 0o7777);
      const tell = (connected) => { socket.destroy(); parentPort.postMessage({ modes: [...modes], connected }) };
      socket.on('connect', () => tell(true)).on('error', () => tell(false));`;
    for (let round = 0; round < 3; round += 1) {
      const path = socketPath();
      const worker = new Worker(spy, { eval: true, workerData: path });
      const exited = once(worker, 'exit');
      await once(worker, 'message');
      const seen = once(worker, 'message');
      const server = new UdsServer({ path, mode: 0o640 });
      afterThisTest(() => server.close());
      server.listen(() => undefined);
      expect(await seen).toEqual([{ modes: [0o640], connected: true }]);
      await exited;
    }
  });
});

describe('closing', () => {
  it('takes the file away', async () => {
    const path = socketPath();
    const server = await listen({ path });
    await server.close();
    expect(readdirSync(dirname(path))).toEqual([]);
  });

  it("leaves a successor's file alone, and the successor serves on", async () => {
    const path = socketPath();
    const first = await listen({ path });
    unlinkSync(path);
    await listen({ path }, 2);
    await first.close();
    expect(await who(path)).toBe(2);
  });

  it('leaves alone what somebody put in its place', async () => {
    const path = socketPath();
    const server = await listen({ path });
    unlinkSync(path);
    writeFileSync(path, 'mine');
    await server.close();
    expect(readFileSync(path, 'utf8')).toBe('mine');
    unlinkSync(path);
  });

  it('says in one line of log where the file can not be removed, and listens no more', async () => {
    const folder = join(tempFolder(), 'in');
    mkdirSync(folder);
    const { server, log } = await serve([], { path: join(folder, 'app.sock') });
    const netServer = server.unwrap();
    rmSync(folder, { recursive: true });
    writeFileSync(folder, 'a file now');
    await server.close();
    unlinkSync(folder);
    expect(log.troubles).toEqual([
      expect.stringMatching(/^LISTEN_FAILED: .*app\.sock can not be removed: .*ENOTDIR/),
    ]);
    expect(netServer.listening).toBe(false);
  });

  it('is content where the file, or its whole folder, has gone', async () => {
    const path = socketPath();
    const server = await listen({ path });
    unlinkSync(path);
    await server.close();

    const other = join(tempFolder(), 'folder', 'a.sock');
    mkdirSync(dirname(other));
    const second = await listen({ path: other });
    rmSync(dirname(other), { recursive: true });
    await second.close();
  });
});
