import { describe, expect, it } from '@jest/globals';
import { chmodSync, chownSync, lstatSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { lastValueFrom } from 'rxjs';
import { clientOf, serve } from '../support/nest.js';
import { itAsRoot, NOBODY } from '../support/other-uid.js';
import { tempFolder } from '../support/temp.js';

/** A folder with these modes in one another, the innermost last; kept from the check of what a test leaves. */
function foldersOf(...modes: number[]): string {
  let folder = tempFolder({ mayLeave: /./ });
  for (const mode of modes) {
    folder = join(folder, 'd');
    mkdirSync(folder);
    chmodSync(folder, mode);
  }
  return folder;
}

const refused = (...parts: string[]): object => ({
  code: 'OPEN_DIRECTORY',
  message: expect.stringMatching(new RegExp(parts.join('.*'))),
});

describe('a socket file in a directory', () => {
  it.each([0o777, 0o707, 0o703, 0o702])(
    'that everybody may write (%o): OPEN_DIRECTORY, and nothing is made',
    async (mode) => {
      const folder = foldersOf(mode);
      await expect(serve([], { path: join(folder, 'app.sock') })).rejects.toMatchObject(
        refused(folder, `mode ${mode.toString(8)}`, 'chmod o-w', 'onOpenDirectory'),
      );
      expect(readdirSync(folder)).toEqual([]);
    },
  );

  it.each([0o700, 0o755, 0o750, 0o770, 0o775, 0o2770, 0o1777])('of mode %o is made', async (mode) => {
    const { path, log } = await serve([], { path: join(foldersOf(mode), 'app.sock') });
    expect(lstatSync(path).isSocket()).toBe(true);
    expect(log.troubles).toEqual([]);
  });

  it('that is closed, in one that everybody may write: OPEN_DIRECTORY, since it can be renamed away', async () => {
    const folder = foldersOf(0o777, 0o700);
    await expect(serve([], { path: join(folder, 'app.sock') })).rejects.toMatchObject(
      refused('/d \\(mode 777\\)'),
    );
  });

  it('that is reached through a link which everybody may replace: OPEN_DIRECTORY', async () => {
    const [closed, open] = [foldersOf(0o700), foldersOf(0o777)];
    symlinkSync(closed, join(open, 'link'));
    const entry = join(tempFolder({ mayLeave: /./ }), 'entry');
    symlinkSync(join(open, 'link'), entry);
    await expect(serve([], { path: join(entry, 'app.sock') })).rejects.toMatchObject(refused(open));
  });

  it('that is reached through links of ours is made', async () => {
    const folder = foldersOf(0o700);
    symlinkSync('d', join(folder, '..', 'relative'));
    symlinkSync(join(folder, '..', 'relative'), join(folder, '..', 'absolute'));
    const { path } = await serve([], { path: join(folder, '..', 'absolute', 'app.sock') });
    expect(lstatSync(path).isSocket()).toBe(true);
  });

  it('that everybody may write is a line of log where that is asked for', async () => {
    const folder = foldersOf(0o777);
    const { path, server, log } = await serve([], {
      path: join(folder, 'app.sock'),
      onOpenDirectory: 'warn',
    });
    server.addHandler('who', async () => 'me');
    expect(await lastValueFrom(clientOf(path).send('who', 0))).toBe('me');
    expect(log.troubles).toEqual([expect.stringMatching(/^OPEN_DIRECTORY: .*mode 777/)]);
  });

  itAsRoot('of another user, who was chosen by whoever made it in a closed place, is made', async () => {
    const folder = foldersOf(0o755, 0o755);
    chownSync(folder, NOBODY, NOBODY);
    const { path } = await serve([], { path: join(folder, 'app.sock') });
    expect(lstatSync(path).isSocket()).toBe(true);
  });

  itAsRoot(
    'of another user in a sticky one, where everybody might have made it: OPEN_DIRECTORY',
    async () => {
      for (const mode of [0o755, 0o1777]) {
        const folder = foldersOf(0o1777, mode);
        chownSync(folder, NOBODY, NOBODY);
        await expect(serve([], { path: join(folder, 'app.sock') })).rejects.toMatchObject(
          refused(folder, 'uid 65534'),
        );
      }
    },
  );
});
