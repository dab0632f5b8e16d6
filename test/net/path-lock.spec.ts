import { describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { lockPath, type PathLock } from '../../src/net/path-lock.js';
import { type Child, startNode } from '../support/child.js';
import { afterThisTest } from '../support/cleanup.js';
import { socketPath } from '../support/nest.js';
import { asNobody, itAsRoot, NOBODY } from '../support/other-uid.js';
import { leaveStaleSocket } from '../support/stale.js';
import { tempFolder } from '../support/temp.js';
import { closedBeforeAccepting } from '../support/unaccepted.js';
import { turns, until } from '../support/wait.js';

const LONG_MS = 10_000;

/** Held until the test ends, or it is released before. */
async function take(path: string, timeoutMs = LONG_MS): Promise<PathLock> {
  const lock = await lockPath(path, timeoutMs);
  afterThisTest(() => lock.release());
  return lock;
}

const left = (path: string): string[] => readdirSync(dirname(path)).sort();

/** A process that takes the lock and keeps it. */
async function holder(path: string, timeoutMs = LONG_MS): Promise<Child> {
  const module = new URL('../../dist/net/path-lock.js', import.meta.url).href;
  const child = startNode([
    '--input-type=module',
    '--eval',
    `import { lockPath } from ${JSON.stringify(module)};
     const lock = await lockPath(process.argv[1], ${timeoutMs});
     process.on('SIGTERM', async () => { await lock.release(); process.exit(0); });
     setInterval(() => undefined, 1000);
     console.log('held');`,
    path,
  ]);
  await child.says(/held/);
  return child;
}

describe('the lock of a path', () => {
  it('is held by one at a time, however many ask', async () => {
    const path = socketPath();
    let holders = 0;
    let most = 0;
    const hold = async (): Promise<void> => {
      const lock = await lockPath(path, LONG_MS);
      holders += 1;
      most = Math.max(most, holders);
      await turns(2);
      holders -= 1;
      await lock.release();
    };
    await Promise.all(Array.from({ length: 20 }, hold));
    expect(most).toBe(1);
    expect(left(path)).toEqual([]);
  });

  it('leaves nothing where it is released, also where something was bound under it', async () => {
    const path = socketPath();
    const lock = await lockPath(path, LONG_MS);
    const server = createServer().listen(lock.privatePath);
    await once(server, 'listening');
    await lock.release();
    expect(left(path)).toEqual([]);
    await new Promise((resolve) => server.close(resolve));
  });

  it('is had at once where its holder releases it', async () => {
    const path = socketPath();
    const first = await take(path);
    let isHeld = false;
    const second = take(path).then(() => (isHeld = true));
    await turns(20);
    expect(isHeld).toBe(false);
    await first.release();
    await second;
  });

  it('is had at once where its holder, another process, is killed', async () => {
    const path = socketPath();
    const first = await holder(path);
    const second = take(path);
    first.signal('SIGKILL');
    await second;
    expect(left(path)).toEqual([`${basename(path)}.lock`]);
  });

  it('is had where its holder ends before it accepts who waits', async () => {
    const path = socketPath();
    mkdirSync(`${path}.lock`, { mode: 0o700 });
    const dying = createServer().listen(`${path}.lock/abcdef`);
    await once(dying, 'listening');
    const ended = closedBeforeAccepting(dying);
    await Promise.all([ended, take(path)]);
  });

  it('is waited for no longer than asked: LOCK_TIMEOUT, and the waiter leaves nothing', async () => {
    const path = socketPath();
    await take(path);
    await expect(lockPath(path, 50)).rejects.toMatchObject({
      code: 'LOCK_TIMEOUT',
      message: expect.stringMatching(/app\.sock\.lock for more than 50 ms \(option lockTimeoutMs\)/),
    });
    expect(left(path)).toEqual([`${basename(path)}.lock`]);
  });

  it('is held by a process that is stopped, too', async () => {
    const path = socketPath();
    const stopped = await holder(path);
    stopped.signal('SIGSTOP');
    await expect(lockPath(path, 100)).rejects.toMatchObject({ code: 'LOCK_TIMEOUT' });
    stopped.signal('SIGCONT');
    stopped.signal('SIGTERM');
    await take(path);
    expect(await stopped.exit()).toBe(0);
  });

  it('is of one path alone', async () => {
    const path = socketPath();
    await take(path);
    await take(`${path}2`, 50);
  });
});

/** What a process leaves that dies with the lock, or on its way to it. */
async function leaveDead(directory: string, names: readonly string[]): Promise<void> {
  mkdirSync(directory, { mode: 0o700 });
  for (const name of names) await leaveStaleSocket(join(directory, name));
}

describe('what a process has left that died', () => {
  it.each([
    ['its name in the lock', ['abcdef']],
    ['its name and what it had bound', ['abcdef', 'abcdefs']],
    ['what it had bound', ['abcdefs']],
    ['an empty lock', []],
  ])('does not keep the lock: %s', async (_what, names) => {
    const path = socketPath();
    await leaveDead(`${path}.lock`, names);
    const lock = await lockPath(path, LONG_MS);
    await lock.release();
    expect(left(path)).toEqual([]);
  });

  it('beside the lock is swept by the next holder, and a living starter is not', async () => {
    const path = socketPath();
    await leaveDead(`${path}.lock.abcdef`, ['abcdef']);
    await leaveDead(`${path}.lock.ghijkl`, []);
    const lock = await lockPath(path, LONG_MS);
    const waiting = lockPath(path, LONG_MS);
    await until(() => left(path).length === 4, 'one waits');
    await lock.sweep();
    expect(left(path)).toHaveLength(2);
    await lock.release();
    await (await waiting).release();
    expect(left(path)).toEqual([]);
  });

  it('costs a starter its name where it was just being made, and it starts over', async () => {
    const path = socketPath();
    const locks = Array.from({ length: 12 }, async () => {
      const lock = await lockPath(path, LONG_MS);
      await lock.sweep();
      await lock.release();
    });
    await Promise.all(locks);
    expect(left(path)).toEqual([]);
  });

  it('is told from what others have put beside it', async () => {
    const path = socketPath();
    const others = [`${path}.lock.short`, `${path}.lock.abcdefg`, `${path}.locked.abcdef`];
    for (const other of others) mkdirSync(other);
    mkdirSync(`${path}.lock.abcdef`);
    writeFileSync(`${path}.lock.abcdef/mine`, 'x');
    const lock = await take(path);
    await lock.sweep();
    expect(others.every((other) => existsSync(other))).toBe(true);
    expect(readFileSync(`${path}.lock.abcdef/mine`, 'utf8')).toBe('x');
    for (const other of [...others, `${path}.lock.abcdef`]) rmSync(other, { recursive: true });
  });
});

describe('the place of the lock', () => {
  it.each<[string, (lock: string) => void]>([
    ['a file', (lock) => writeFileSync(lock, 'mine')],
    ['a link to nowhere', (lock) => symlinkSync('/nowhere', lock)],
    [
      'a link to a folder',
      (lock) => {
        mkdirSync(`${lock}.real`);
        symlinkSync(`${lock}.real`, lock);
      },
    ],
    [
      'a folder with something else in it',
      (lock) => {
        mkdirSync(lock);
        writeFileSync(join(lock, 'notes'), 'mine');
      },
    ],
    [
      'a folder with a file that is named as a holder is',
      (lock) => {
        mkdirSync(lock);
        writeFileSync(join(lock, 'abcdef'), 'mine');
      },
    ],
    [
      'a folder with a file whose name would forge a line of log',
      (lock) => {
        mkdirSync(lock);
        writeFileSync(join(lock, 'a\nERROR forged\u202e'), 'mine');
      },
    ],
  ])('is taken by %s: LOCK_BROKEN, and that is left alone', async (_what, put) => {
    const folder = tempFolder({ mayLeave: /./ });
    const path = join(folder, 'app.sock');
    put(`${path}.lock`);
    const before = readdirSync(folder, { recursive: true });
    await expect(lockPath(path, LONG_MS)).rejects.toMatchObject({
      code: 'LOCK_BROKEN',
      message: expect.stringMatching(/^[^\p{C}]*app\.sock\.lock [^\p{C}]*remove it[^\p{C}]*$/u),
    });
    expect(readdirSync(folder, { recursive: true })).toEqual(before);
  });

  itAsRoot("is somebody else's: PERMISSION_DENIED", async () => {
    const folder = tempFolder();
    chmodSync(folder, 0o777);
    const path = join(folder, 'app.sock');
    await take(path);
    await expect(asNobody(() => lockPath(path, LONG_MS))).rejects.toMatchObject({
      code: 'PERMISSION_DENIED',
      message: expect.stringMatching(/app\.sock\.lock is the lock of another user \(uid 0\)/),
    });
    expect(left(path)).toEqual(['app.sock.lock']);
  });

  itAsRoot('can not be written: PERMISSION_DENIED, with who can allow it', async () => {
    const path = socketPath();
    chmodSync(dirname(path), 0o755);
    await expect(asNobody(() => lockPath(path, LONG_MS))).rejects.toMatchObject({
      code: 'PERMISSION_DENIED',
      message: expect.stringMatching(/Uid 65534 .*its owner \(uid 0, mode 755\)/),
    });
  });

  itAsRoot('may be one that can be written and not read', async () => {
    const path = socketPath();
    chownSync(dirname(path), NOBODY, NOBODY);
    chmodSync(dirname(path), 0o300);
    await asNobody(async () => {
      const lock = await lockPath(path, LONG_MS);
      await lock.sweep();
      await lock.release();
    });
    chmodSync(dirname(path), 0o700);
    expect(left(path)).toEqual([]);
  });

  it('is not there: DIRECTORY_MISSING', async () => {
    const path = join(dirname(socketPath()), 'missing', 'app.sock');
    await expect(lockPath(path, LONG_MS)).rejects.toMatchObject({ code: 'DIRECTORY_MISSING' });
  });

  it('may vanish while somebody holds it or waits', async () => {
    const folder = tempFolder({ mayLeave: /./ });
    const inner = join(folder, 'in');
    mkdirSync(inner);
    const path = join(inner, 'app.sock');
    const lock = await lockPath(path, LONG_MS);
    const waiting = lockPath(path, LONG_MS).catch((error: unknown) => error);
    await until(() => left(path).length === 2, 'one waits');
    renameSync(inner, join(folder, 'gone'));
    await lock.release();
    expect(await waiting).toMatchObject({ code: 'DIRECTORY_MISSING' });
  });
});
