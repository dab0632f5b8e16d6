import { describe, expect, it, jest } from '@jest/globals';
import { Buffer } from 'node:buffer';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { once } from 'node:events';
import type { Server } from 'node:net';
import { join } from 'node:path';
import { itWith } from '../interop/programs.js';
import { Child } from '../support/child.js';
import { afterThisTest } from '../support/cleanup.js';
import { RawServer } from '../support/raw-server.js';
import { leaveStaleSocket } from '../support/stale.js';
import { tempFolder } from '../support/temp.js';
import { CONTROL, expectOneLine, runCli } from './cli.js';

// Several processes a test, on a machine that may be busy.
jest.setTimeout(60_000);

/** Each command in each dialect, asked of a path. */
const COMMANDS: readonly (readonly [string, (path: string) => readonly string[]])[] = [
  ['ping', (path) => ['ping', path, '-c', '1']],
  ['health', (path) => ['health', path]],
  ['send', (path) => ['send', path, 'echo', '1']],
  ['send --dialect ndjson', (path) => ['send', path, 'echo', '1', '--dialect', 'ndjson']],
  ['send --dialect raw', (path) => ['send', path, 'text', '--dialect', 'raw']],
  ['send --event', (path) => ['send', path, 'told', '1', '--event']],
  ['send --event --dialect ndjson', (path) => ['send', path, 'told', '1', '--event', '--dialect', 'ndjson']],
];
/** Raw bytes have no form in which a server could be known as a foreign one. */
const THAT_KNOW_STRANGERS = COMMANDS.filter(([name]) => name !== 'send --dialect raw');

/** A path in a folder of its own, which may be left there. */
const freePath = (): string => join(tempFolder({ mayLeave: /^there$/ }), 'there');

async function startHttpServer(path: string): Promise<void> {
  const server = createHttpServer((_request, response) => response.end('hello'));
  server.listen(path);
  await once(server, 'listening');
  afterThisTest(() => closed(server));
}

async function closed(server: Server & { closeAllConnections?: () => void }): Promise<void> {
  server.closeAllConnections?.();
  await new Promise((resolve) => server.close(resolve));
}

describe.each(COMMANDS)('nest-uds %s', (_name, argsFor) => {
  it('says in one line that no file is there, and exits with 1', async () => {
    const path = freePath();
    const outcome = await runCli(...argsFor(path));
    expectOneLine(outcome, 1, /^nest-uds: SERVER_NOT_FOUND: .*ENOENT\. No file is there\. Start the server/);
    expect(outcome.stderr).toContain(path);
  });

  it('says in one line that nobody listens on a file that a killed server left', async () => {
    const path = freePath();
    await leaveStaleSocket(path);
    expectOneLine(
      await runCli(...argsFor(path)),
      1,
      /^nest-uds: CONNECTION_REFUSED: .*Nobody listens .*Start the server/,
    );
  });
});

// What is wrong with the path itself is found out before a word is said, so that one command stands for all.
describe('nest-uds', () => {
  const argsFor = (path: string): readonly string[] => ['ping', path, '-c', '1'];

  it.each([
    ['a plain file', (path: string) => writeFileSync(path, 'text')],
    ['a folder', (path: string) => mkdirSync(path)],
  ])('says in one line that it can not connect to %s', async (_kind, make) => {
    const path = freePath();
    make(path);
    const outcome = await runCli(...argsFor(path));
    expectOneLine(
      outcome,
      1,
      /^nest-uds: NOT_A_SOCKET: Can not connect to .* is no socket: correct the path/,
    );
    expect(outcome.stderr).toContain(path);
  });

  it('says in one line that a part of the path is no folder', async () => {
    const path = freePath();
    writeFileSync(path, 'text');
    expectOneLine(await runCli(...argsFor(`${path}/deeper`)), 1, /SERVER_NOT_FOUND: .*no directory/);
  });

  it('says in one line that a path is too long for a socket', async () => {
    expectOneLine(await runCli(...argsFor(`/${'long/'.repeat(30)}`)), 1, /PATH_TOO_LONG: .*at most \d+ fit/);
  });

  // Node can make none itself.
  itWith('python3')('says in one line that a socket is of another type', async () => {
    const path = freePath();
    const script =
      'import socket, sys; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(sys.argv[1]); print("bound", flush=True); input()';
    const datagrams = new Child('python3', ['-c', script, path], { hasInput: true });
    await datagrams.says(/bound/);
    expectOneLine(await runCli(...argsFor(path)), 1, /CONNECT_FAILED: .*socket of another type/);
    datagrams.endInput();
    await datagrams.exit();
  });
});

describe.each(THAT_KNOW_STRANGERS)('nest-uds %s', (name, argsFor) => {
  it('says in one line that an HTTP server speaks something else, and exits with 1', async () => {
    const path = freePath();
    await startHttpServer(path);
    const reason = name.includes('ndjson') ? /BAD_FRAME: / : /BAD_HELLO: .*does not speak nest-uds/;
    expectOneLine(await runCli(...argsFor(path)), 1, reason);
  });

  it('says in one line that a server of raw echoes speaks something else, and exits with 1', async () => {
    const { path } = await RawServer.listening(freePath(), { accept: (socket) => socket.pipe(socket) });
    const reason = name.includes('ndjson') ? /BAD_FRAME: / : /BAD_HELLO: .*does not speak nest-uds/;
    expectOneLine(await runCli(...argsFor(path)), 1, reason);
  });

  it('says in one line that a server hangs up at once, and exits with 1', async () => {
    const { path } = await RawServer.listening(freePath(), { accept: (socket) => socket.destroy() });
    const reason = name.includes('ndjson') ? /CONNECTION_LOST: / : /HELLO_LOST: /;
    expectOneLine(await runCli(...argsFor(path)), 1, reason);
  });
});

describe.each(COMMANDS)('nest-uds %s', (name, argsFor) => {
  it('waits as long as --timeout-ms says for a server that accepts and never answers', async () => {
    const { path } = await RawServer.listening(freePath(), { accept: () => undefined });
    const startedAt = performance.now();
    const quick = await runCli(...argsFor(path), '--timeout-ms', '100');
    const quickMs = performance.now() - startedAt;
    // More than the time that connecting has where nothing is said of it.
    const patient = await runCli(...argsFor(path), '--timeout-ms', '2600');
    const patientMs = performance.now() - startedAt - quickMs;
    const reasonAfter = (limitMs: number): RegExp =>
      name.includes('--dialect')
        ? /^nest-uds: DEADLINE_EXCEEDED: /
        : new RegExp(`^nest-uds: HELLO_TIMEOUT: .*within ${limitMs} ms`);
    expectOneLine(quick, 1, reasonAfter(100));
    expectOneLine(patient, 1, reasonAfter(2600));
    expect(patientMs).toBeGreaterThanOrEqual(2_600);
    expect(patientMs - quickMs).toBeGreaterThan(1_000);
  });
});

describe('nest-uds send', () => {
  it.each([[[]], [['--timeout-ms', '0']]])(
    'with %j waits two seconds for a connection, however long an answer may take',
    async (more: readonly string[]) => {
      const { path } = await RawServer.listening(freePath(), { accept: () => undefined });
      const outcome = await runCli('send', path, 'echo', '1', ...more);
      expectOneLine(outcome, 1, /^nest-uds: HELLO_TIMEOUT: .*within 2000 ms/);
    },
  );

  it.each([[[]], [['--dialect', 'ndjson']]])(
    'waits no longer than --timeout-ms for a server that reads nothing of an --event with %j',
    async (more: readonly string[]) => {
      const { path } = await RawServer.listening(freePath(), {
        accept: () => undefined,
        greet: more.length === 0,
      });
      const file = join(tempFolder({ mayLeave: /^bytes$/ }), 'bytes');
      writeFileSync(file, Buffer.alloc(10_000_000));
      const args = ['--event', '--bytes', file, '--timeout-ms', '300'];
      expectOneLine(
        await runCli('send', path, 'told', ...args, ...more),
        1,
        /^nest-uds: DEADLINE_EXCEEDED: /,
      );
    },
  );
});

describe('a path that a hostile name drives', () => {
  it('can not move the cursor or begin a line of its own', async () => {
    const folder = tempFolder();
    const name = '\u001b[2J\u009b31m\nnest-uds: all is well';
    for (const args of [
      ['ping', join(folder, name), '-c', '1'],
      ['health', join(folder, name)],
      ['send', join(folder, 'none'), 'echo', '--bytes', join(folder, name)],
      ['send', join(folder, 'none'), 'echo', name],
    ]) {
      const { code, stdout, stderr } = await runCli(...args);
      expect(code).not.toBe(0);
      expect(stdout).toBe('');
      expect(stderr).toMatch(/^nest-uds: [^\n]+\n$/);
      expect(stderr.slice(0, -1)).not.toMatch(CONTROL);
    }
    rmSync(folder, { recursive: true });
  });
});
