import { describe, expect, it } from '@jest/globals';
import { lstatSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { lockPath } from '../../src/net/path-lock.js';
import { bindSocketFile, type SocketFileSettings } from '../../src/net/socket-file.js';
import { afterThisTest } from '../support/cleanup.js';
import { socketPath } from '../support/nest.js';
import { leaveStaleSocket } from '../support/stale.js';
import { tempFolder } from '../support/temp.js';

const settingsOf = (path: string): SocketFileSettings => ({
  path,
  mode: 0o666,
  backlog: 5,
  lockTimeoutMs: 5_000,
  onOpenDirectory: 'refuse',
});

/** A file that must stay as it is, and a path beside it. */
function precious(): { path: string; file: string } {
  const file = join(tempFolder({ mayLeave: /./ }), 'precious');
  writeFileSync(file, 'mine', { mode: 0o600 });
  return { path: socketPath(), file };
}

function expectUntouched(file: string): void {
  expect(readFileSync(file, 'utf8')).toBe('mine');
  expect(statSync(file).mode & 0o777).toBe(0o600);
}

/** A socket file as a starter has it before others see it. */
async function bind(path: string) {
  const server = createServer();
  const bound = await bindSocketFile(
    server,
    settingsOf(path),
    async () => undefined,
    () => undefined,
  );
  afterThisTest(() => server.close());
  return bound;
}

describe('a link that a neighbour puts', () => {
  it('at the path behind the look at it is refused: NOT_A_SOCKET, and what it leads to is not touched', async () => {
    const { path, file } = precious();
    const bound = await bind(path);
    afterThisTest(() => rmSync(path));
    symlinkSync(file, path);
    await expect(bound.publish()).rejects.toMatchObject({ code: 'NOT_A_SOCKET' });
    expect(lstatSync(path).isSymbolicLink()).toBe(true);
    expectUntouched(file);
  });

  it('at the path of a server that lives is no file of it: it is left where it is, and so is what it leads to', async () => {
    const { path, file } = precious();
    const bound = await bind(path);
    await bound.publish();
    rmSync(path);
    symlinkSync(file, path);
    expect(await bound.file.look()).toBe('replaced');
    await bound.file.remove(5_000);
    expect(lstatSync(path).isSymbolicLink()).toBe(true);
    expectUntouched(file);
    rmSync(path);
  });

  it('beside the lock, named as a starter that died is, is not followed by the sweep', async () => {
    const path = socketPath();
    const elsewhere = tempFolder({ mayLeave: /./ });
    await leaveStaleSocket(join(elsewhere, 'abcdef'));
    symlinkSync(elsewhere, `${path}.lock.abcdef`);
    const lock = await lockPath(path, 5_000);
    await lock.sweep();
    await lock.release();
    expect(lstatSync(join(elsewhere, 'abcdef')).isSocket()).toBe(true);
    rmSync(`${path}.lock.abcdef`);
  });
});

it('a dead socket of another name than ours is not swept', async () => {
  const path = socketPath();
  const folder = `${path}.lock.abcdef`;
  mkdirSync(folder);
  await leaveStaleSocket(join(folder, 'other'));
  const lock = await lockPath(path, 5_000);
  await lock.sweep();
  await lock.release();
  expect(lstatSync(join(folder, 'other')).isSocket()).toBe(true);
  rmSync(folder, { recursive: true });
});
