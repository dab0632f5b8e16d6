import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Buffer } from 'node:buffer';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { EchoClient } from '../../src/echo/index.js';
import { afterThisTest } from '../support/cleanup.js';
import { Child, startNode } from '../support/child.js';
import { tempFolder } from '../support/temp.js';
import { TextPeer } from '../support/text-peer.js';

const MAIN = resolve('dist/main.js');
const READY = /Echo is served on (\S+) \(pid (\d+)\)/;

// Several processes a test, on a machine that may be busy.
jest.setTimeout(60_000);

let folder: string;
let path: string;

beforeEach(() => {
  folder = tempFolder();
  path = join(folder, 'echo.sock');
});

const startSidecar = (env: Readonly<Record<string, string>> = {}): Child =>
  startNode([MAIN], { cwd: folder, env: { UDS_PATH: path, ...env } });

/** As `npm start` in a clone, without the build before it: other tests run what is built. */
const npmStart = (): Child =>
  new Child('npm', ['start', '--ignore-scripts'], { env: { UDS_PATH: path }, ownGroup: true });

function client(): EchoClient {
  const made = new EchoClient({ path });
  afterThisTest(() => made.close());
  return made;
}

/** The process that serves, which npm is not. */
const serverPid = (child: Child): number => Number(READY.exec(child.stdout)?.[2]);

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

describe('the sidecar as a process', () => {
  it('serves on where the reader of its log has gone', async () => {
    const sidecar = startSidecar();
    await sidecar.says(READY);
    sidecar.closeStdout();
    sidecar.closeStderr();
    // Two lines of log: the first one finds that nobody reads.
    for (let count = 0; count < 2; count += 1) {
      const peer = await TextPeer.to(path);
      await peer.send('{}\n').textComes('BAD_PAYLOAD');
      peer.end();
    }
    expect(await client().echo('still')).toBe('still');
    sidecar.signal('SIGTERM');
    expect(await sidecar.exit()).toBe(0);
  });

  it('echoes every kind to another process', async () => {
    const sidecar = startSidecar();
    await sidecar.says(READY);
    const echo = client();
    const values = ['text', 'Zażółć 😀', 0, -1.5, true, { nothing: null }, ['a', [null]]];
    for (const value of values) expect(await echo.echo(value)).toEqual(value);
    const bytes = await echo.echo(Buffer.from([0, 255, 10]));
    expect(Buffer.compare(bytes, Buffer.from([0, 255, 10]))).toBe(0);
    const items: unknown[] = [];
    for await (const item of echo.echoStream(3)) items.push(item);
    expect(items).toEqual([0, 1, 2]);
    expect(await echo.health()).toMatchObject({ pid: sidecar.pid, callsServed: values.length + 2 });
    sidecar.signal('SIGTERM');
    expect(await sidecar.exit()).toBe(0);
  });

  it('serves as .env of its working directory says', async () => {
    const home = tempFolder({ mayLeave: /^\.env$/ });
    writeFileSync(join(home, '.env'), `UDS_PATH=${path}\nUDS_NAME=from a file\n`);
    const sidecar = startNode([MAIN], { cwd: home });
    await sidecar.says(READY);
    expect(await client().echo('hello')).toBe('hello');
    sidecar.signal('SIGTERM');
    expect(await sidecar.exit()).toBe(0);
  });

  describe.each(['SIGTERM', 'SIGINT'] as const)('on %s', (signal) => {
    it('finishes, removes its socket and exits with 0', async () => {
      const sidecar = startSidecar();
      await sidecar.says(READY);
      await client().echo('hello');
      sidecar.signal(signal);
      expect(await sidecar.exit()).toBe(0);
      expect(readdirSync(folder)).toEqual([]);
      expect(sidecar.stdout).toContain('Everything is closed.');
      expect(sidecar.stderr).toBe('');
    });

    it('does the same through npm start', async () => {
      const npm = npmStart();
      await npm.says(READY);
      npm.signal(signal);
      expect(await npm.exit()).toBe(0);
      expect(isAlive(serverPid(npm))).toBe(false);
      expect(readdirSync(folder)).toEqual([]);
    });
  });

  it('takes a Ctrl-C in the terminal of npm start, which reaches it twice, for one', async () => {
    const npm = npmStart();
    await npm.says(READY);
    const echo = client();
    await echo.connect();
    npm.signal('SIGINT', true);
    expect(await npm.exit()).toBe(0);
    expect(isAlive(serverPid(npm))).toBe(false);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('exits with 1 and a line for each variable that is wrong', async () => {
    const sidecar = startSidecar({ UDS_MAX_IN_FLIGHT: 'many', UDS_MOED: '0600' });
    expect(await sidecar.exit()).toBe(1);
    expect(sidecar.stderr).toMatch(
      /^UDS_MAX_IN_FLIGHT is "many"; allowed is a whole number from 16 to 1000000\.\nUDS_MOED is unknown\. Known are: .*\n$/,
    );
    expect(sidecar.stdout).toBe('');
  });

  it('exits with 1 and one sentence where a live server has the path', async () => {
    const first = startSidecar();
    await first.says(READY);
    const second = startSidecar();
    expect(await second.exit()).toBe(1);
    expect(second.stderr).toMatch(
      new RegExp(`^ADDRESS_IN_USE: A live server has ${path}: process ${first.pid}\\. .*\\n$`),
    );
    expect(await client().echo('still there')).toBe('still there');
    first.signal('SIGTERM');
    expect(await first.exit()).toBe(0);
  });

  it('takes the place of a living one with UDS_ON_LIVE=takeover: that one finishes and exits with 0', async () => {
    const first = startSidecar();
    await first.says(READY);
    const echo = client();
    expect(await echo.health()).toMatchObject({ pid: first.pid });
    const second = startSidecar({ UDS_ON_LIVE: 'takeover' });
    await second.says(READY);
    expect(await first.exit()).toBe(0);
    expect(first.stdout).toContain('Everything is closed.');
    expect(first.stderr + second.stderr).toBe('');
    expect(await echo.health()).toMatchObject({ pid: second.pid });
    second.signal('SIGTERM');
    expect(await second.exit()).toBe(0);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('takes over the socket file of one that was killed', async () => {
    const first = startSidecar();
    await first.says(READY);
    first.signal('SIGKILL');
    expect(await first.exit()).toBe('SIGKILL');
    expect(existsSync(path)).toBe(true);
    const second = startSidecar();
    await second.says(READY);
    expect(await client().echo('hello')).toBe('hello');
    second.signal('SIGTERM');
    expect(await second.exit()).toBe(0);
  });
});
