import { describe, expect, it } from '@jest/globals';
import { chmodSync, lstatSync, mkdirSync, readdirSync, rmdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { UdsServer, type UdsServerOptions } from '../../src/index.js';
import { afterThisTest } from '../support/cleanup.js';
import { clientOf, socketPath } from '../support/nest.js';
import { asNobody, itAsRoot, NOBODY } from '../support/other-uid.js';
import { tempFolder } from '../support/temp.js';

async function listen(options: UdsServerOptions): Promise<void> {
  const server = new UdsServer(options);
  afterThisTest(() => server.close());
  const error = await new Promise((resolve) => server.listen(resolve));
  if (error !== undefined) throw error as Error;
}

/** A folder that everybody may search. */
function openFolder(mode: number): string {
  const folder = tempFolder();
  chmodSync(folder, mode);
  return folder;
}

describe('the owner of the socket file', () => {
  it('is who listens, where nothing is asked for', async () => {
    const path = socketPath();
    await listen({ path });
    expect(lstatSync(path)).toMatchObject({ uid: process.geteuid?.(), gid: process.getegid?.() });
  });

  itAsRoot('is as asked for: uid, gid, or both', async () => {
    for (const [asked, uid, gid] of [
      [{ uid: 7 }, 7, 0],
      [{ gid: 8 }, 0, 8],
      [{ uid: 7, gid: 8 }, 7, 8],
    ] as const) {
      const path = socketPath();
      await listen({ path, ...asked });
      expect(lstatSync(path)).toMatchObject({ uid, gid });
    }
  });

  itAsRoot('can not be given away by anybody but root: OWNER_NOT_ALLOWED, and nothing is left', async () => {
    const folder = openFolder(0o1777);
    const path = join(folder, 'app.sock');
    for (const asked of [{ uid: 7 }, { gid: 8 }]) {
      await expect(asNobody(() => listen({ path, ...asked }))).rejects.toMatchObject({
        code: 'OWNER_NOT_ALLOWED',
        message: expect.stringMatching(/EPERM.*uid, gid/),
      });
      expect(readdirSync(folder)).toEqual([]);
    }
  });
});

describe('a group that somebody is in', () => {
  itAsRoot('may be given the file by anybody', async () => {
    const path = join(openFolder(0o1777), 'app.sock');
    await asNobody(() => listen({ path, gid: NOBODY }));
    expect(lstatSync(path)).toMatchObject({ uid: NOBODY, gid: NOBODY });
  });
});

describe('somebody who may not', () => {
  itAsRoot('write the directory: PERMISSION_DENIED, saying who can allow it', async () => {
    const folder = openFolder(0o755);
    await expect(asNobody(() => listen({ path: join(folder, 'app.sock') }))).rejects.toMatchObject({
      code: 'PERMISSION_DENIED',
      message: expect.stringMatching(new RegExp(`Uid ${NOBODY} .*${folder}.*uid 0, mode 755`)),
    });
    expect(readdirSync(folder)).toEqual([]);
  });

  itAsRoot('search the directory: PERMISSION_DENIED', async () => {
    const folder = openFolder(0o755);
    const closed = join(folder, 'closed');
    mkdirSync(closed, { mode: 0o700 });
    await expect(asNobody(() => listen({ path: join(closed, 'app.sock') }))).rejects.toMatchObject({
      code: 'PERMISSION_DENIED',
    });
    rmdirSync(closed);
  });

  itAsRoot('connect to the socket that has the path: PERMISSION_DENIED, and its server goes on', async () => {
    const path = join(openFolder(0o1777), 'app.sock');
    await listen({ path });
    const { ino } = lstatSync(path);
    await expect(asNobody(() => listen({ path }))).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
    expect(lstatSync(path).ino).toBe(ino);
    expect(readdirSync(dirname(path))).toEqual(['app.sock']);
  });

  itAsRoot('connect as a client: PERMISSION_DENIED with the path, EACCES and what to do', async () => {
    const path = join(openFolder(0o755), 'app.sock');
    await listen({ path });
    const client = clientOf(path);
    await expect(asNobody(() => client.connect())).rejects.toMatchObject({
      code: 'PERMISSION_DENIED',
      message: expect.stringMatching(new RegExp(`${path}.*EACCES.*mode or gid`)),
    });
  });

  itAsRoot('connect may do so where the mode allows it', async () => {
    const path = join(openFolder(0o755), 'app.sock');
    await listen({ path, gid: NOBODY, mode: 0o660 });
    const client = clientOf(path);
    await asNobody(() => client.connect());
  });
});
