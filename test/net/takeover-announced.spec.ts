import { describe, expect, it } from '@jest/globals';
import { Buffer } from 'node:buffer';
import { lstatSync, readdirSync, renameSync, rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import { dirname, join } from 'node:path';
import type { UdsServer } from '../../src/index.js';
import { lockPath } from '../../src/net/path-lock.js';
import { startNode } from '../support/child.js';
import { afterThisTest } from '../support/cleanup.js';
import { clientOf, serve, socketPath } from '../support/nest.js';
import { rawFrame } from '../support/raw-frames.js';
import { RawPeer } from '../support/raw-peer.js';
import { RawServer, serverHello } from '../support/raw-server.js';
import { leaveStaleSocket } from '../support/stale.js';
import { Gate, turns, until } from '../support/wait.js';

const TAKEOVER = rawFrame({ type: 14, flags: 0x80 });
const GOAWAY = rawFrame({ type: 13 });
const PING = rawFrame({ type: 11, id: 7 });

/** Whether the server has been told that its place is another's. */
function watchLeaving(server: UdsServer): Gate {
  const left = new Gate();
  server.on('takeover', () => left.open());
  return left;
}

/** Puts another socket in the place of a server's, as one does that keeps no lock. */
async function replace(path: string): Promise<void> {
  const other = socketPath();
  await leaveStaleSocket(other);
  renameSync(other, path);
  afterThisTest(() => rmSync(path));
}

/** One that has said TAKEOVER, and was heard. */
async function herald(path: string): Promise<RawPeer> {
  const peer = await RawPeer.greeted(path);
  peer.send(TAKEOVER, PING);
  await peer.frame(12, 7);
  await turns();
  return peer;
}

describe('a server that was told of a takeover while its file was its own', () => {
  it('leaves where who told it is gone and another socket has its place', async () => {
    const { path, server } = await serve([], { fileCheckIntervalMs: 0 });
    const left = watchLeaving(server);
    const peer = await herald(path);
    await replace(path);
    await turns(20);
    expect(left.isOpen).toBe(false);
    peer.socket.destroy();
    await left.within('it leaves');
  });

  it('stays where who told it is gone, and its file is still its own', async () => {
    const { path, server } = await serve([]);
    const left = watchLeaving(server);
    const peer = await herald(path);
    peer.socket.destroy();
    await turns(20);
    expect(left.isOpen).toBe(false);
    await clientOf(path).connect();
  });

  it('stays where its place is taken, and others leave who told it nothing', async () => {
    const { path, server } = await serve([], { fileCheckIntervalMs: 0 });
    const left = watchLeaving(server);
    const peer = await RawPeer.greeted(path);
    await replace(path);
    peer.socket.end();
    await peer.closed();
    await turns(20);
    expect(left.isOpen).toBe(false);
  });
});

describe('a server that is told of a takeover only behind it', () => {
  it('leaves at once', async () => {
    const { path, server } = await serve([], { fileCheckIntervalMs: 0 });
    const left = watchLeaving(server);
    const peer = await RawPeer.greeted(path);
    await replace(path);
    peer.send(TAKEOVER);
    await left.within('it leaves');
  });
});

/** As servers were that look at each TAKEOVER, and at the end of no connection. */
async function lookingServer(path: string): Promise<{ sockets: readonly Socket[]; told: () => string[] }> {
  const told: string[] = [];
  const { sockets } = await RawServer.listening(path, {
    accept: (socket) => {
      socket.once('data', () => {
        socket.write(serverHello({ features: 1 }));
        socket.on('data', (chunk: Buffer) => {
          if (!chunk.includes(TAKEOVER)) return;
          told.push(lstatSync(path).ino === ino ? 'before' : 'behind');
          if (told.at(-1) === 'behind') socket.write(GOAWAY);
        });
      });
      socket.on('end', () => socket.end());
    },
  });
  const { ino } = lstatSync(path);
  return { sockets, told: () => told };
}

describe('a server that takes the place of another', () => {
  it('tells it before it does, and once it has', async () => {
    const path = socketPath();
    const other = join(dirname(path), 'other.sock');
    const old = await lookingServer(path);
    // All are bound before the first is seen: one that waits for a lock holds up the other.
    const lock = await lockPath(other, 1000);
    afterThisTest(() => lock.release());
    const serving = serve([], { endpoints: [{ path }, { path: other }], onLive: 'takeover' });
    await until(() => old.told().length > 0, 'it was told');
    await lock.release();
    const { log } = await serving;
    await until(() => old.told().length === 2, 'it was told again');
    expect(old.told()).toEqual(['before', 'behind']);
    await until(() => old.sockets.every(({ destroyed }) => destroyed), 'it was left');
    expect(log.troubles).toEqual([]);
  });

  it('and is killed as soon as its file is there is followed by the next one, and the old one leaves', async () => {
    const path = socketPath();
    const starting = (onLive: string): ReturnType<typeof startNode> =>
      startNode([
        '--input-type=module',
        '--eval',
        `import { shutDownOnSignals, UdsServer } from 'nest-uds';
         const server = new UdsServer({ path: process.argv[1], onLive: process.argv[2] });
         shutDownOnSignals({ servers: [server], app: { close: async () => undefined } });
         server.listen((error) => console.log(error ?? 'serves'));`,
        path,
        onLive,
      ]);
    const old = starting('refuse');
    await old.says(/serves/);
    const { ino } = lstatSync(path);
    const successor = starting('takeover');
    // Nothing else may run here meanwhile: the moment is short.
    for (const endsAtMs = performance.now() + 30_000; lstatSync(path).ino === ino;)
      if (performance.now() > endsAtMs) throw new Error('It never took the place');
    successor.signal('SIGKILL');
    expect(await successor.exit()).toBe('SIGKILL');
    expect(await old.exit()).toBe(0);
    const next = starting('takeover');
    await next.says(/serves/);
    next.signal('SIGTERM');
    expect(await next.exit()).toBe(0);
    expect(readdirSync(dirname(path))).toEqual([]);
  }, 60_000);
});
