import { beforeEach, describe, expect } from '@jest/globals';
import { Buffer } from 'node:buffer';
import { join } from 'node:path';
import { leaveStaleSocket } from '../support/stale.js';
import { tempFolder } from '../support/temp.js';
import { TextPeer } from '../support/text-peer.js';
import { until } from '../support/wait.js';
import { itWith, type Program, runPython } from './programs.js';

const itPython = itWith('python3');
const MESSAGE = 'This is the message, This will be echoed back';

let path: string;

beforeEach(() => {
  // Nobody takes the file of such a server away: that is why the next one has to.
  path = join(tempFolder({ mayLeave: /^raw\.sock$/ }), 'raw.sock');
});

async function startServer(): Promise<Program> {
  const server = runPython('raw_server.py', path);
  await server.says('listening\n');
  return server;
}

async function isServed(): Promise<void> {
  const client = runPython('raw_client.py', path);
  expect([await client.exit(), client.stderr, client.text]).toEqual([0, '', MESSAGE]);
}

/** What the server wrote of each connection. */
const linesOf = (server: Program): string[] => server.text.trimEnd().split('\n');

describe('a raw server as it is usually written', () => {
  itPython('echoes to one client after the other', async () => {
    const server = await startServer();
    await isServed();
    await isServed();
    await until(() => linesOf(server).length === 5, 'both connections ended');
    expect(linesOf(server)).toEqual(['listening', 'connected', 'done', 'connected', 'done']);
  });

  itPython('takes over a file that was left over', async () => {
    await leaveStaleSocket(path);
    const first = await startServer();
    await isServed();
    first.kill('SIGKILL');
    await first.exit();
    await startServer();
    await isServed();
  });

  itPython('serves the next one after a connection that broke in the middle of an echo', async () => {
    const server = await startServer();
    const peer = await TextPeer.to(path);
    peer.send(MESSAGE);
    await peer.textComes(MESSAGE);
    // More than the system keeps for one who does not read: the server stands in the middle of its writing.
    peer.socket.pause();
    for (let sent = 0; sent < 100; sent += 1) peer.send(Buffer.alloc(40_000));
    await until(() => peer.socket.writableLength < 3_900_000, 'some of it has left');
    peer.socket.destroy();
    await isServed();
    expect(linesOf(server).slice(0, 4)).toEqual([
      'listening',
      'connected',
      expect.stringMatching(/^broken: (Broken pipe|Connection reset by peer)$/),
      'connected',
    ]);
  });

  itPython('serves the next one after a client that was killed in the middle of an echo', async () => {
    const server = await startServer();
    const client = runPython('raw_client.py', path, '--bytes', '9000000', '--byte-at-a-time');
    await server.says('listening\nconnected\n');
    client.kill('SIGKILL');
    expect(await client.exit()).toBe('SIGKILL');
    await isServed();
    expect(server.isAlive).toBe(true);
  });
});
