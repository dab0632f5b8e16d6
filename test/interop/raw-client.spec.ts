import { beforeEach, describe, expect } from '@jest/globals';
import { Buffer } from 'node:buffer';
import { readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { EchoClient } from '../../src/echo/index.js';
import { afterThisTest } from '../support/cleanup.js';
import { type Child, startNode } from '../support/child.js';
import { leaveStaleSocket } from '../support/stale.js';
import { tempFolder } from '../support/temp.js';
import { itWith, runPython } from './programs.js';

const itPython = itWith('python3');
const MAIN = resolve('dist/main.js');
const READY = /Echo is served on \S+/;
const MESSAGE = 'This is the message, This will be echoed back';

let folder: string;
let path: string;
let rawPath: string;

beforeEach(() => {
  folder = tempFolder();
  path = join(folder, 'echo.sock');
  rawPath = join(folder, 'raw.sock');
});

/** The sidecar as a process, with a path for plain bytes. */
async function startSidecar(env: Readonly<Record<string, string>> = {}): Promise<Child> {
  const paths = { UDS_PATH: path, UDS_RAW_PATH: rawPath };
  const sidecar = startNode([MAIN], { cwd: folder, env: { ...paths, ...env } });
  await sidecar.says(READY);
  return sidecar;
}

/** It ends as it should, whatever was asked of it, and complained of nothing. */
async function endsWell(sidecar: Child): Promise<void> {
  sidecar.signal('SIGTERM');
  expect(await sidecar.exit()).toBe(0);
  expect(sidecar.stderr).toBe('');
  expect(readdirSync(folder)).toEqual([]);
}

/** What `--bytes` sends. */
function pattern(length: number): Buffer {
  return Buffer.alloc(length, Buffer.from(Array.from({ length: 251 }, (_, index) => index)));
}

async function expectEcho(expected: Uint8Array, ...args: readonly string[]): Promise<void> {
  const client = runPython('raw_client.py', rawPath, ...args);
  expect([await client.exit(), client.stderr]).toEqual([0, '']);
  // not toEqual: a difference of megabytes is no message
  expect([client.output.length, client.output.equals(expected)]).toEqual([expected.length, true]);
}

/** Waits until calls that came in raw bytes were answered: the echo's client has made few. */
async function rawCallsAreServed(echo: EchoClient): Promise<void> {
  for (let asked = 0; (await echo.health()).callsServed < asked + 100; asked += 1);
}

describe('a raw client against the sidecar', () => {
  itPython('has its message back', async () => {
    const sidecar = await startSidecar();
    await expectEcho(Buffer.from(MESSAGE));
    await expectEcho(Buffer.from('Zażółć 😀\n'), '--message', 'Zażółć 😀\n');
    await endsWell(sidecar);
  });

  itPython('has its message back a byte at a time', async () => {
    const sidecar = await startSidecar();
    await expectEcho(Buffer.from(MESSAGE), '--byte-at-a-time');
    await expectEcho(pattern(5_000), '--bytes', '5000', '--byte-at-a-time');
    await endsWell(sidecar);
  });

  itPython('has 10 MB back', async () => {
    const sidecar = await startSidecar();
    await expectEcho(pattern(10_000_000), '--bytes', '10000000');
    await endsWell(sidecar);
  });

  itPython('has 100 KB back that it sent before it read anything', async () => {
    const sidecar = await startSidecar();
    await expectEcho(pattern(100_000), '--bytes', '100000', '--send-first');
    await endsWell(sidecar);
  });

  itPython('that sends 10 MB before it reads anything is cut off, and the next one is served', async () => {
    const sidecar = await startSidecar({ UDS_SLOW_READER_TIMEOUT_MS: '200' });
    const client = runPython('raw_client.py', rawPath, '--bytes', '10000000', '--send-first');
    expect(await client.exit()).toBe(1);
    expect(client.stderr).toMatch(/(Broken pipe|Connection reset by peer)\n$/);
    await expectEcho(Buffer.from(MESSAGE));
    await endsWell(sidecar);
    expect(sidecar.stdout.match(/SLOW_READER/g)).toHaveLength(1);
  });

  itPython('is served beside 49 others, each with its own bytes', async () => {
    const sidecar = await startSidecar();
    const lengths = Array.from({ length: 50 }, (_, index) => 1_000 + index * 997);
    await Promise.all(lengths.map((length) => expectEcho(pattern(length), '--bytes', String(length))));
    await endsWell(sidecar);
  });

  itPython('that is killed in the middle of an echo takes nothing from the next one', async () => {
    const sidecar = await startSidecar();
    const echo = new EchoClient({ path });
    afterThisTest(() => echo.close());
    const killed = runPython('raw_client.py', rawPath, '--bytes', '9000000', '--byte-at-a-time');
    await rawCallsAreServed(echo);
    killed.kill('SIGKILL');
    expect(await killed.exit()).toBe('SIGKILL');
    await expectEcho(Buffer.from(MESSAGE));
    await echo.close();
    await endsWell(sidecar);
  });

  itPython('speaks beside the clients of the other path, and both are in health', async () => {
    const sidecar = await startSidecar();
    const echo = new EchoClient({ path });
    afterThisTest(() => echo.close());
    const [answer] = await Promise.all([echo.echo('hello'), expectEcho(Buffer.from(MESSAGE))]);
    expect(answer).toBe('hello');
    expect((await echo.health()).endpoints).toMatchObject([
      { path, dialects: ['binary', 'ndjson', 'nest-json'], connections: 1 },
      { path: rawPath, dialects: ['raw'], pattern: 'echo' },
    ]);
    await echo.close();
    await endsWell(sidecar);
  });
});

describe('a raw client where nobody listens', () => {
  itPython('exits with 1 and says what the system says of a missing file', async () => {
    const client = runPython('raw_client.py', rawPath);
    expect(await client.exit()).toBe(1);
    expect(client.stderr).toMatch(/No such file or directory\n$/);
    expect(client.text).toBe('');
  });

  itPython('exits with 1 and says what the system says of a file that was left over', async () => {
    rawPath = join(tempFolder({ mayLeave: /^raw\.sock$/ }), 'raw.sock');
    await leaveStaleSocket(rawPath);
    const client = runPython('raw_client.py', rawPath);
    expect(await client.exit()).toBe(1);
    expect(client.stderr).toMatch(/Connection refused\n$/);
    expect(client.text).toBe('');
  });
});
