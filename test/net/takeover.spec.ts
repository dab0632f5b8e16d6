import { describe, expect, it } from '@jest/globals';
import { Controller, Logger } from '@nestjs/common';
import { MessagePattern } from '@nestjs/microservices';
import { existsSync, lstatSync, readdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { dirname } from 'node:path';
import { lastValueFrom } from 'rxjs';
import { shutDownOnSignals, UdsServer } from '../../src/index.js';
import { startNode } from '../support/child.js';
import { afterThisTest } from '../support/cleanup.js';
import { RecordedLog } from '../support/log.js';
import { clientOf, serve, type Served, socketPath } from '../support/nest.js';
import { ProcessHost } from '../support/process-host.js';
import { rawFrame } from '../support/raw-frames.js';
import { RawPeer } from '../support/raw-peer.js';
import { RawServer, serverHello } from '../support/raw-server.js';
import { Gate, turns, until } from '../support/wait.js';

const TAKEOVER = 14;
const GOAWAY = 13;
const KNOWS_TAKEOVER = { features: 1 };

let gate = new Gate();
let running = 0;

@Controller()
class Old {
  @MessagePattern('who')
  who(): string {
    return 'old';
  }

  @MessagePattern('gated')
  async gated(): Promise<string> {
    running += 1;
    await gate.opened;
    return 'done';
  }
}

@Controller()
class New {
  @MessagePattern('who')
  who(): string {
    return 'new';
  }
}

async function serveOld(options: Parameters<typeof serve>[1] = {}): Promise<Served> {
  gate = new Gate();
  running = 0;
  return await serve([Old], { closeTimeoutMs: 10_000, ...options });
}

const who = async (path: string): Promise<unknown> => await lastValueFrom(clientOf(path).send('who', 1));

/** Listens on its own, and gives what it fails with. */
async function failureOf(options: ConstructorParameters<typeof UdsServer>[0]): Promise<unknown> {
  const server = new UdsServer(options);
  afterThisTest(() => server.close());
  return await new Promise((resolve) => server.listen(resolve));
}

describe('a living server', () => {
  it('keeps its place where nothing else is asked for: ADDRESS_IN_USE, with its pid and what to do', async () => {
    const { path } = await serveOld();
    expect(await failureOf({ path })).toMatchObject({
      code: 'ADDRESS_IN_USE',
      message: expect.stringMatching(new RegExp(`process ${process.pid}\\. .*option onLive`)),
    });
    expect(await who(path)).toBe('old');
  });

  it('whose place is taken finishes what runs, though its logger throws', async () => {
    const { path } = await serveOld();
    const answer = lastValueFrom(clientOf(path).send('gated', 1));
    await until(() => running === 1, 'it runs');
    const log = new RecordedLog();
    let lost = 0;
    log.log = (line) => {
      if (!String(line).startsWith('Another process')) return;
      lost += 1;
      throw new Error('the disk is full');
    };
    await serve([New], { path, onLive: 'takeover', prepare: () => void Logger.overrideLogger(log) });
    await until(() => lost === 1, 'the old server is told');
    gate.open();
    expect(await answer).toBe('done');
    expect(await who(path)).toBe('new');
  });

  it('whose place is taken finishes what runs, tells its clients, and leaves the file alone', async () => {
    const { path, server } = await serveOld();
    const states: string[] = [];
    server.status.subscribe((state) => void states.push(state));
    const takenOver = new Promise((resolve) => server.on('takeover', () => resolve('taken over')));
    const client = clientOf(path);
    const answer = lastValueFrom(client.send('gated', 1));
    await until(() => running === 1, 'the call runs');
    // Nest has one logger, so the newest one hears both.
    const { log } = await serve([New], { path, onLive: 'takeover' });
    expect(await takenOver).toBe('taken over');
    const { ino } = lstatSync(path);
    // What was on its way as the client was told is answered by the old one.
    while ((await lastValueFrom(client.send('who', 1))) === 'old') await turns(1);
    expect(states.at(-1)).toBe('connected');
    gate.open();
    expect(await answer).toBe('done');
    await until(() => states.at(-1) === 'disconnected', 'it has closed');
    expect(lstatSync(path).ino).toBe(ino);
    expect(await who(path)).toBe('new');
    expect(log.lines.map(({ text }) => text)).toContain(
      'Another process has the socket file now: finishing what runs here.',
    );
    expect(log.troubles).toEqual([]);
  });

  it('stays where somebody says that it was replaced, and it was not', async () => {
    const { path, log } = await serveOld();
    const peer = await RawPeer.greeted(path);
    for (let time = 0; time < 100; time += 1) peer.send(rawFrame({ type: TAKEOVER, flags: 0x80 }));
    peer.send(rawFrame({ type: 11, id: 7 }));
    await peer.frame(12, 7);
    await turns(20);
    expect(peer.frames.map(({ type }) => type)).toEqual([2, 12]);
    expect(existsSync(path)).toBe(true);
    expect(await who(path)).toBe('old');
    expect(log.troubles).toEqual([]);
  });

  it('is replaced by the last of many that take its place at once; the others leave too', async () => {
    const { path } = await serveOld();
    const comers = Array.from({ length: 6 }, () => new UdsServer({ path, onLive: 'takeover' }));
    let closed = 0;
    for (const comer of comers) {
      afterThisTest(() => comer.close());
      comer.status.subscribe((state) => (closed += state === 'disconnected' ? 1 : 0));
    }
    const failures = await Promise.all(
      comers.map(async (comer) => await new Promise((resolve) => comer.listen(resolve))),
    );
    expect(failures).toEqual(comers.map(() => undefined));
    await until(() => closed === comers.length - 1, 'all but one have left');
    expect(readdirSync(dirname(path))).toEqual(['app.sock']);
    await clientOf(path).connect();
  });

  it('of two endpoints is replaced on both', async () => {
    const [one, two] = [socketPath(), socketPath()];
    const { server } = await serveOld({ endpoints: [{ path: one }, { path: two }] });
    const left = new Promise((resolve) => server.on('takeover', () => resolve(undefined)));
    await serve([New], { endpoints: [{ path: two }, { path: one }], onLive: 'takeover' });
    await left;
    expect([await who(one), await who(two)]).toEqual(['new', 'new']);
  });

  it('keeps all its endpoints where one of them can not be had', async () => {
    const [one, two] = [socketPath(), socketPath()];
    await serveOld({ path: one });
    const silent = await RawServer.listening(two, { accept: (socket) => socket.resume() });
    const endpoints = [{ path: one }, { path: two }];
    expect(await failureOf({ endpoints, onLive: 'takeover', probeTimeoutMs: 50 })).toMatchObject({
      code: 'TAKEOVER_REFUSED',
    });
    expect(await who(one)).toBe('old');
    expect(silent.sockets).toHaveLength(1);
    expect(readdirSync(dirname(one))).toEqual(['app.sock']);
  });

  it('that does not get done cuts what is left after its closeTimeoutMs, and says how much', async () => {
    const { path } = await serveOld({ closeTimeoutMs: 60 });
    const client = clientOf(path);
    const failed = lastValueFrom(client.send('gated', 1)).catch((error: unknown) => error);
    await until(() => running === 1, 'the call runs');
    const { log } = await serve([New], { path, onLive: 'takeover' });
    expect(await failed).toMatchObject({ code: 'CONNECTION_LOST', retrySafe: false });
    expect(log.troubles).toEqual([
      expect.stringMatching(/^SERVER_CLOSING: 1 connections with 1 calls were cut.*closeTimeoutMs/),
    ]);
    gate.open();
  });

  it('leaves also where somebody who is told of that throws, and tells the others', async () => {
    const { path, server } = await serveOld();
    const told: string[] = [];
    server.on('takeover', () => {
      told.push('first');
      throw new Error('mine');
    });
    server.on('takeover', () => told.push('second'));
    const closed = new Promise<void>((resolve) =>
      server.status.subscribe((state) => state === 'disconnected' && resolve()),
    );
    await serve([New], { path, onLive: 'takeover' });
    await closed;
    expect(told).toEqual(['first', 'second']);
  });

  it('listens once: LISTEN_FAILED, and it goes on', async () => {
    const { path, server } = await serveOld({ onLive: 'takeover' });
    expect(await new Promise((resolve) => server.listen(resolve))).toMatchObject({
      code: 'LISTEN_FAILED',
      message: expect.stringMatching(/listens already/),
    });
    expect(await who(path)).toBe('old');
    await server.close();
    expect(existsSync(path)).toBe(false);
  });

  it('whose signals are seen to by shutDownOnSignals ends its process with 0', async () => {
    const { path, server, app } = await serveOld();
    const host = new ProcessHost();
    shutDownOnSignals({ servers: [server], app, process: host });
    await serve([New], { path, onLive: 'takeover' });
    expect(await host.exitCode()).toBe(0);
  });
});

/** Answers each connection's first bytes, and keeps what else comes. */
async function stranger(answer: Buffer): Promise<RawServer> {
  return await RawServer.listening(socketPath(), {
    accept: (socket) => {
      socket.once('data', () => socket.write(answer));
      socket.resume();
    },
  });
}

describe('the place of one that can not be told', () => {
  it.each<[string, RegExp, () => Promise<RawServer>]>([
    [
      'says nothing',
      /it hangs, or takes longer than probeTimeoutMs/,
      async () => await RawServer.listening(socketPath(), { accept: (socket) => socket.resume() }),
    ],
    [
      'is of another version',
      /it speaks no version of the protocol/,
      async () => await stranger(serverHello({ chosen: 0 })),
    ],
    [
      'does not know how to',
      /it is of a version that knows no takeover/,
      async () => await stranger(serverHello()),
    ],
    [
      'speaks something else',
      /it is of another kind \(BAD_HELLO\)/,
      async () => await stranger(Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')),
    ],
    [
      'hangs up',
      /it hangs up, .*option maxConnections/,
      async () => await RawServer.listening(socketPath(), { accept: (socket) => socket.destroy() }),
    ],
  ])('is not taken where it %s: TAKEOVER_REFUSED, and nothing is touched', async (what, why, listening) => {
    const { path, sockets } = await listening();
    const { ino } = lstatSync(path);
    expect(await failureOf({ path, onLive: 'takeover', probeTimeoutMs: 80 })).toMatchObject({
      code: 'TAKEOVER_REFUSED',
      message: expect.stringMatching(new RegExp(`can not be told to leave: ${why.source}.*Stop it first`)),
    });
    expect(lstatSync(path).ino).toBe(ino);
    // Who hangs up is asked some more times: it may be dying.
    expect(sockets).toHaveLength(what === 'hangs up' ? 4 : 1);
    expect(readdirSync(dirname(path))).toEqual(['app.sock']);
  });

  it('is not taken from a process that is stopped', async () => {
    const path = socketPath();
    const stopped = startNode([
      '--input-type=module',
      '--eval',
      `import { UdsServer } from 'nest-uds';
       const server = new UdsServer({ path: process.argv[1] });
       server.listen(() => console.log('serves'));
       process.on('SIGTERM', async () => { await server.close(); process.exit(0); });`,
      path,
    ]);
    await stopped.says(/serves/);
    stopped.signal('SIGSTOP');
    expect(await failureOf({ path, onLive: 'takeover', probeTimeoutMs: 80 })).toMatchObject({
      code: 'TAKEOVER_REFUSED',
    });
    stopped.signal('SIGCONT');
    stopped.signal('SIGTERM');
    expect(await stopped.exit()).toBe(0);
  });

  it('is taken where it hangs only later: the new one serves, says TAKEOVER_TIMEOUT, and the word waits', async () => {
    const { path, ...old } = await stranger(serverHello(KNOWS_TAKEOVER));
    const sockets = old.sockets;
    const { log } = await serve([New], { path, onLive: 'takeover', probeTimeoutMs: 80 });
    expect(await who(path)).toBe('new');
    await until(() => log.troubles.length > 0, 'it is said');
    expect(log.troubles).toEqual([
      expect.stringMatching(/^TAKEOVER_TIMEOUT: .*has not begun to leave within 80 ms/),
    ]);
    expect(sockets).toHaveLength(1);
  });

  it('is told in a frame that it may skip, and left once it says that it leaves', async () => {
    const seen: Buffer[] = [];
    const path = socketPath();
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => socket.write(serverHello(KNOWS_TAKEOVER)));
      socket.on('data', (chunk: Buffer) => {
        seen.push(chunk);
        if (chunk.equals(rawFrame({ type: TAKEOVER, flags: 0x80 }))) socket.write(rawFrame({ type: GOAWAY }));
      });
      socket.on('end', () => socket.end());
    }).listen(path);
    await once(server, 'listening');
    const closed = once(server, 'close');
    const { log } = await serve([New], { path, onLive: 'takeover' });
    await until(() => seen.length >= 3, 'it was told, and answered');
    expect(Buffer.concat(seen.slice(1))).toEqual(
      Buffer.concat([rawFrame({ type: TAKEOVER, flags: 0x80 }), rawFrame({ type: GOAWAY })]),
    );
    server.close();
    await closed;
    expect(log.troubles).toEqual([]);
  });
});
