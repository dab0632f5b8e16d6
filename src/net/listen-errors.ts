import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errorOf, UdsError } from '../protocol/errors.js';

export const errnoOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? String(error);

/** What to do about the errnos of bind(2), mkdir(2) and rename(2) that have no code of ours. */
const ADVICE: Readonly<Record<string, string>> = {
  EROFS: 'The file system of the directory is read-only: choose another path.',
  ENOSPC:
    'The file system of the directory has no room, or no inodes, left: make some, or choose another path.',
  EDQUOT:
    'The quota of this user on the file system of the directory is used up: make room, or choose another path.',
  EMFILE: 'This process has no file descriptors left: raise its limit (ulimit -n).',
};

/** Says in one sentence why a path can't be listened on, and who could change that. An error that says so already stays. */
export async function listenError(path: string, error: unknown): Promise<UdsError> {
  if (error instanceof UdsError) return error;
  const errno = errnoOf(error);
  const directory = dirname(path);
  if (errno === 'ENOENT' && (await isMissing(directory))) {
    return errorOf(
      'DIRECTORY_MISSING',
      `The directory ${directory} does not exist: create it, or choose another path.`,
      error,
    );
  }
  if (errno === 'ENOTDIR') {
    return errorOf('DIRECTORY_MISSING', `${directory} is no directory: choose another path.`, error);
  }
  if (errno === 'EACCES' || errno === 'EPERM') {
    const owner = await stat(directory).catch(() => undefined);
    const fixer =
      owner === undefined
        ? 'its owner'
        : `its owner (uid ${owner.uid}, mode ${(owner.mode & 0o7777).toString(8)})`;
    const me = process.geteuid?.() ?? 'of this process';
    return errorOf(
      'PERMISSION_DENIED',
      `Uid ${me} may not write the directory ${directory}: ${fixer} or root can allow it.`,
      error,
    );
  }
  const advice = ADVICE[errno];
  const says = `Can not listen on ${path}: the system says ${errno}.`;
  return errorOf('LISTEN_FAILED', advice === undefined ? says : `${says} ${advice}`, error);
}

/** The system says ENOENT too where a directory is there and takes no files, such as /proc. */
const isMissing = async (path: string): Promise<boolean> =>
  await stat(path).then(
    () => false,
    () => true,
  );
