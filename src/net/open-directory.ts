import type { Stats } from 'node:fs';
import { lstat, readlink } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { errorOf, type UdsError } from '../protocol/errors.js';

const OTHERS_WRITE = 0o002;
/** In a sticky directory nobody but its owner and root removes or renames what belongs to others. */
const STICKY = 0o1000;
/** As many as Linux follows on one path. */
const MAX_LINKS = 40;

/**
 * Why a socket file is not safe where it is to be: in a directory of its path everybody may rename or remove what lies
 * there, and so put a server of their own in the place of the socket, or a directory in the place of one on the way to it.
 *
 * Looks at each directory in which a name of the path is looked up, those of links on the way included. Write permission of
 * a group, or of an owner other than us, is no trouble: those are accounts that somebody has chosen; "others" is nobody's
 * choice. So neither is who has made a directory, or a link, in one where everybody may: in a sticky one its maker keeps it.
 */
export async function openDirectoryOf(path: string): Promise<UdsError | undefined> {
  const names = namesOf(dirname(resolve(path)));
  let directory = '/';
  let isAnybodys = false;
  for (let links = 0; ;) {
    const found = await look(directory);
    // What is missing or closed to us is told by whoever listens there.
    if (found === undefined) return undefined;
    if (isAnybodys && found.uid !== 0 && found.uid !== process.geteuid?.()) return foreign(directory, found);
    isAnybodys = false;
    if (found.isSymbolicLink()) {
      links += 1;
      const target = links > MAX_LINKS ? undefined : await readlink(directory).catch(() => undefined);
      if (target === undefined) return undefined;
      names.unshift(...namesOf(target));
      directory = target.startsWith('/') ? '/' : dirname(directory);
      continue;
    }
    isAnybodys = (found.mode & OTHERS_WRITE) !== 0;
    if (isAnybodys && (found.mode & STICKY) === 0) return openDirectory(directory, found);
    const name = names.shift();
    if (name === undefined) return undefined;
    directory = join(directory, name);
  }
}

const namesOf = (path: string): string[] => path.split('/').filter((name) => name !== '' && name !== '.');

const look = async (path: string): Promise<Stats | undefined> => await lstat(path).catch(() => undefined);

function openDirectory(directory: string, { mode }: Stats): UdsError {
  const shown = (mode & 0o7777).toString(8);
  return errorOf(
    'OPEN_DIRECTORY',
    `Everybody may remove and rename what lies in ${directory} (mode ${shown}), and so put a server of their own in the place of the socket file. ` +
      `Take the write permission of others away (chmod o-w), make it sticky (chmod +t), choose another path, or take the risk (option onOpenDirectory: 'warn').`,
  );
}

function foreign(path: string, { uid }: Stats): UdsError {
  return errorOf(
    'OPEN_DIRECTORY',
    `${path} belongs to uid ${uid} and lies where everybody may make one: who made it may put a server of their own in the place of the socket file. ` +
      `Choose another path, or take the risk (option onOpenDirectory: 'warn').`,
  );
}
