import { describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { UdsServer, type UdsServerOptions } from '../../src/index.js';
import { lockPath } from '../../src/net/path-lock.js';
import { Child } from '../support/child.js';
import { afterThisTest } from '../support/cleanup.js';
import { clientOf, serve, socketPath } from '../support/nest.js';
import { itAsRoot, NOBODY } from '../support/other-uid.js';
import { RawServer } from '../support/raw-server.js';
import { leaveStaleSocket } from '../support/stale.js';
import { until } from '../support/wait.js';

/** Has a server bind all of its paths, runs `meanwhile` before the first is seen, and gives what listening ends with. */
async function listenWhile(
  paths: readonly string[],
  meanwhile: () => unknown,
  options: Partial<UdsServerOptions> = {},
): Promise<unknown> {
  const last = join(dirname(paths[0]!), 'z.sock');
  const lock = await lockPath(last, 1000);
  afterThisTest(() => lock.release());
  const endpoints = [...paths, last].map((path) => ({ path }));
  const server = new UdsServer({ ...options, endpoints, path: undefined });
  afterThisTest(() => server.close());
  const listening = new Promise((resolve) => server.listen(resolve));
  await until(() => paths.every(isBound), 'all but the last are bound');
  await meanwhile();
  await lock.release();
  return await listening;
}

/** The name that is bound lies beside that of the lock's holder, and is one character longer. */
function isBound(path: string): boolean {
  try {
    return readdirSync(`${path}.lock`).some((name) => name.length === 7);
  } catch {
    return false;
  }
}

describe('a name that was free as a server looked', () => {
  it('and is a file as it is to be had: NOT_A_SOCKET, and the file is left alone', async () => {
    const path = socketPath();
    const put = (): void => writeFileSync(path, 'mine');
    expect(await listenWhile([path], put)).toMatchObject({ code: 'NOT_A_SOCKET' });
    expect(readFileSync(path, 'utf8')).toBe('mine');
    expect(readdirSync(dirname(path))).toEqual(['app.sock']);
    unlinkSync(path);
  });

  it('and is the socket of somebody who lives: ADDRESS_IN_USE, and that one is reached', async () => {
    const path = socketPath();
    const put = async (): Promise<RawServer> => await RawServer.listening(path);
    expect(await listenWhile([path], put)).toMatchObject({
      code: 'ADDRESS_IN_USE',
      message: expect.stringContaining('A live server has'),
    });
    await clientOf(path).connect();
  });

  it('and is a stale socket: it is replaced', async () => {
    const path = socketPath();
    expect(await listenWhile([path], async () => await leaveStaleSocket(path))).toBeUndefined();
    await clientOf(path).connect();
  });

  it('costs nobody its place where it can not be had', async () => {
    const old = await serve([], { path: socketPath() });
    const free = join(dirname(old.path), 'free.sock');
    const put = (): void => writeFileSync(free, 'mine');
    const options = { onLive: 'takeover' } as const;
    expect(await listenWhile([old.path, free], put, options)).toMatchObject({ code: 'NOT_A_SOCKET' });
    await clientOf(old.path).connect();
    unlinkSync(free);
  });
});

describe('the name of a stale socket', () => {
  it('that is a file as it is to be had: NOT_A_SOCKET, and the file is left alone', async () => {
    const path = socketPath();
    await leaveStaleSocket(path);
    const put = (): void => {
      unlinkSync(path);
      writeFileSync(path, 'mine');
    };
    expect(await listenWhile([path], put)).toMatchObject({ code: 'NOT_A_SOCKET' });
    expect(readFileSync(path, 'utf8')).toBe('mine');
    unlinkSync(path);
  });
});

/** Puts a file at a name as soon as a server has bound what is to have it, unless that is there already; says which. */
const SPY = `
  const { existsSync, readdirSync, writeFileSync } = require('node:fs');
  const { parentPort, workerData: path } = require('node:worker_threads');
  const isBound = () => {
    try { return readdirSync(path + '.lock').some((name) => name.length === 7) } catch { return false }
  };
  let wasGone = false;
  const isLate = () => {
    const isThere = existsSync(path);
    wasGone ||= !isThere;
    return (wasGone && isThere) || Date.now() > endsAt;
  };
  parentPort.postMessage('ready');
  const endsAt = Date.now() + 1000;
  while (!isBound() && !isLate());
  let won = true;
  try { writeFileSync(path, 'mine', { flag: 'wx' }) } catch { won = false }
  parentPort.postMessage(won);`;

describe('a server that makes its file anew', () => {
  it('leaves alone what has come to the name since it looked', async () => {
    const options = { fileCheckIntervalMs: 5, onGone: 'recreate' } as const;
    const { path, server, log } = await serve([], options);
    for (let won = false; !won;) {
      await until(() => lstatSync(path, { throwIfNoEntry: false }) !== undefined, 'the file is there');
      const spy = new Worker(SPY, { eval: true, workerData: path });
      const exited = once(spy, 'exit');
      await once(spy, 'message');
      const said = once(spy, 'message');
      unlinkSync(path);
      won = ((await said) as [boolean])[0];
      await exited;
    }
    await until(() => log.troubles.some((line) => line.startsWith('NOT_A_SOCKET')), 'it is said');
    await server.close();
    expect(readFileSync(path, 'utf8')).toBe('mine');
    unlinkSync(path);
  });
});

describe('a starter that died as it gave its socket the name', () => {
  it('leaves a second name in the lock, which the next one sweeps', async () => {
    const path = socketPath();
    await leaveStaleSocket(path);
    mkdirSync(`${path}.lock`);
    await leaveStaleSocket(`${path}.lock/abcdef`);
    linkSync(path, `${path}.lock/abcdefs`);
    await serve([], { path });
    expect(readdirSync(dirname(path))).toEqual(['app.sock']);
    expect(lstatSync(path).nlink).toBe(1);
    await clientOf(path).connect();
  });
});

const canDropRights = spawnSync('setpriv', ['--bounding-set=-fowner', 'true']).status === 0;
const itWithoutLinks = canDropRights ? itAsRoot : it.skip;

describe('a server whose system gives its socket no second name', () => {
  // A socket that was given away may be linked by its owner, or with the right CAP_FOWNER.
  itWithoutLinks('serves all the same', async () => {
    const path = socketPath();
    const script = `import { UdsServer } from 'nest-uds';
      const server = new UdsServer({ path: process.argv[1], uid: ${NOBODY} });
      server.listen((error) => console.log(error ?? 'serves'));
      process.on('SIGTERM', async () => { await server.close(); process.exit(0); });`;
    const node = [process.execPath, '--input-type=module', '--eval', script, path];
    const child = new Child('setpriv', ['--bounding-set=-fowner', '--inh-caps=-fowner', ...node]);
    await child.says(/serves/);
    expect(lstatSync(path).uid).toBe(NOBODY);
    expect(readdirSync(dirname(path))).toEqual(['app.sock']);
    await clientOf(path).connect();
    child.signal('SIGTERM');
    expect(await child.exit()).toBe(0);
  });
});
