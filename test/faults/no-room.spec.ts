import { expect } from '@jest/globals';
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { NOBODY } from '../support/other-uid.js';
import { fault } from './support/fault.js';
import { end } from './support/order.js';
import type { Scene } from './support/scene.js';

/** Inodes of a file system: for itself, the directory of the lock, the socket in that, and the socket that is served. */
const INODES = 4;

fault(
  'disk full, read-only directory, no permission (as another uid)',
  { promise: '`listen`/`connect` fail with the right code and sentence', skip: whyNot() },
  async (scene) => {
    const folder = join(dirname(scene.path), 'place');
    mkdirSync(folder, { mode: 0o755 });
    // Others may search it, so that the directory below is what stops them.
    chmodSync(dirname(folder), 0o755);
    const path = join(folder, 'app.sock');
    try {
      for (let inodes = 1; inodes < INODES; inodes += 1)
        await mounted(folder, `size=64k,nr_inodes=${inodes}`, async () => {
          await expectFailure(
            scene,
            { path, what: 'listen' },
            /^LISTEN_FAILED: .*ENOSPC.*no room, or no inodes/,
          );
          expect(readdirSync(folder)).toEqual([]);
        });
      await mounted(folder, `nr_inodes=${INODES}`, async () => await meetAsNobody(scene, path));
      await mounted(folder, 'ro', async () => {
        await expectFailure(
          scene,
          { path, what: 'listen' },
          /^LISTEN_FAILED: .*EROFS.*read-only: choose another/,
        );
        await expectFailure(scene, { path, what: 'connect' }, /^SERVER_NOT_FOUND: .*ENOENT/);
      });
    } finally {
      rmdirSync(folder);
    }
  },
);

/** With just enough room a server serves; who may not write its socket, or its directory, is told who could change that. */
async function meetAsNobody(scene: Scene, path: string): Promise<void> {
  const folder = dirname(path);
  chmodSync(folder, 0o755);
  const server = scene.startClient('attempt', { path, what: 'listen' });
  await server.says(/^done$/m);
  await expectFailure(
    scene,
    { path, what: 'connect', uid: NOBODY },
    /^PERMISSION_DENIED: .*EACCES.*write permission/,
  );
  const other = join(folder, 'other.sock');
  await expectFailure(
    scene,
    { path: other, what: 'listen', uid: NOBODY },
    /^PERMISSION_DENIED: Uid 65534 may not write the directory .*its owner \(uid 0, mode 755\) or root/,
  );
  await end(server);
  expect(readdirSync(folder)).toEqual([]);
}

async function expectFailure(
  scene: Scene,
  settings: Readonly<Record<string, unknown>>,
  says: RegExp,
): Promise<void> {
  const attempt = scene.startClient('attempt', settings);
  await attempt.says(/\n/);
  scene.row.add({ atRisk: 1 });
  expect(attempt.stdout).toMatch(says);
  await end(attempt);
}

/** A file system of its own on a folder, for as long as `run` takes. */
async function mounted(folder: string, options: string, run: () => Promise<void>): Promise<void> {
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'none', folder]);
  try {
    await run();
  } finally {
    execFileSync('umount', ['--lazy', folder]);
  }
}

/** Mounting needs root, and a system that lets root do it; a container may not. */
function whyNot(): string | undefined {
  if (process.geteuid?.() !== 0) return 'only root mounts a file system';
  const folder = mkdtempSync(join(tmpdir(), 'uds-mount-'));
  const options = { stdio: 'ignore' } as const;
  const { status } = spawnSync('mount', ['-t', 'tmpfs', 'none', folder], options);
  if (status === 0) spawnSync('umount', ['--lazy', folder], options);
  rmdirSync(folder);
  return status === 0 ? undefined : 'the system lets nobody mount here';
}
