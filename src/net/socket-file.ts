import { chmod, chown, lstat, mkdtemp, rename, rm, stat, unlink } from 'node:fs/promises';
import type { Server } from 'node:net';
import { dirname } from 'node:path';
import { errorOf, UdsError } from '../protocol/errors.js';
import { assertPathFits } from './socket-path.js';

/**
 * A socket is bound as `s` in a private directory beside its path, given its owner and mode there, and then renamed:
 * nobody ever sees it with the wrong mode, or before it listens. mkdtemp adds six random characters.
 */
const PRIVATE_SUFFIX = '.lock.';
const BOUND_NAME = '/s';
const SUFFIX_BYTES = PRIVATE_SUFFIX.length + 6 + BOUND_NAME.length;

export interface SocketFileSettings {
  readonly path: string;
  /** Permission bits of the socket file; connecting needs the write bit. */
  readonly mode: number;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  readonly backlog: number;
}

/** Who answers on a socket file: nobody any more, somebody who told its pid, or somebody who did not. */
export type SocketOwner = 'stale' | { readonly pid: number | undefined };
export type Probe = (path: string) => Promise<SocketOwner>;

/** The socket file that this process published. */
export interface SocketFile {
  /** Removes the file unless somebody else's has taken its place. */
  remove(): Promise<void>;
}

/**
 * Makes `server` listen on the path. A stale socket file is replaced; nothing else ever is.
 *
 * @param probe asks an existing socket who lives there.
 * @throws PATH_TOO_LONG, NOT_A_SOCKET, ADDRESS_IN_USE, DIRECTORY_MISSING, PERMISSION_DENIED, OWNER_NOT_ALLOWED,
 * LISTEN_FAILED; nothing is left behind then.
 */
export async function publishSocketFile(
  server: Server,
  settings: SocketFileSettings,
  probe: Probe,
): Promise<SocketFile> {
  const { path } = settings;
  assertPathFits(path, SUFFIX_BYTES);
  await assertFree(path, probe);
  const directory = await mkdtemp(path + PRIVATE_SUFFIX).catch((error: unknown) => fail(path, error));
  const bound = directory + BOUND_NAME;
  try {
    await listenOn(server, bound, settings.backlog);
    await chmod(bound, settings.mode);
    await giveTo(bound, settings);
    const { dev, ino } = await lstat(bound, { bigint: true });
    await rename(bound, path);
    return { remove: () => removeIfSame(path, dev, ino) };
  } catch (error) {
    server.close();
    return await fail(path, error);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** @throws NOT_A_SOCKET, ADDRESS_IN_USE where something that must not be replaced has the path. */
async function assertFree(path: string, probe: Probe): Promise<void> {
  const found = await lstat(path).catch(async (error: unknown) =>
    errnoOf(error) === 'ENOENT' ? undefined : await fail(path, error),
  );
  if (found === undefined) return;
  if (!found.isSocket()) {
    const kind = found.isDirectory() ? 'directory' : found.isSymbolicLink() ? 'symbolic link' : 'file';
    throw errorOf(
      'NOT_A_SOCKET',
      `${path} is a ${kind}, not a socket, and is left alone. Remove it or choose another path.`,
    );
  }
  const owner = await probe(path);
  if (owner === 'stale') return;
  const who = owner.pid ? `process ${owner.pid}` : 'a process that did not say who it is';
  throw errorOf(
    'ADDRESS_IN_USE',
    `A live server has ${path}: ${who}. Stop it first, or choose another path.`,
  );
}

function listenOn(server: Server, path: string, backlog: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ path, backlog }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

async function giveTo(bound: string, { uid, gid }: SocketFileSettings): Promise<void> {
  if (uid === undefined && gid === undefined) return;
  try {
    // -1 leaves an owner as it is: chown(2).
    await chown(bound, uid ?? -1, gid ?? -1);
  } catch (error) {
    throw errorOf(
      'OWNER_NOT_ALLOWED',
      `The socket can not be given to uid ${uid ?? 'unchanged'}, gid ${gid ?? 'unchanged'}: the system says ${errnoOf(error)}. ` +
        `Only root may give a file away, and others only to a group that they are in (options uid, gid).`,
      error,
    );
  }
}

async function removeIfSame(path: string, dev: bigint, ino: bigint): Promise<void> {
  try {
    const found = await lstat(path, { bigint: true });
    if (found.dev === dev && found.ino === ino) await unlink(path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}

/** Says in one sentence why a path can't be listened on, and who could change that. */
async function fail(path: string, error: unknown): Promise<never> {
  if (error instanceof UdsError) throw error;
  const errno = errnoOf(error);
  const directory = dirname(path);
  if (errno === 'ENOENT' && (await isMissing(directory))) {
    throw errorOf(
      'DIRECTORY_MISSING',
      `The directory ${directory} does not exist: create it, or choose another path.`,
      error,
    );
  }
  if (errno === 'ENOTDIR') {
    throw errorOf('DIRECTORY_MISSING', `${directory} is no directory: choose another path.`, error);
  }
  if (errno === 'EACCES' || errno === 'EPERM') {
    const owner = await stat(directory).catch(() => undefined);
    const fixer =
      owner === undefined
        ? 'its owner'
        : `its owner (uid ${owner.uid}, mode ${(owner.mode & 0o7777).toString(8)})`;
    const me = process.geteuid?.() ?? 'of this process';
    throw errorOf(
      'PERMISSION_DENIED',
      `Uid ${me} may not write the directory ${directory}: ${fixer} or root can allow it.`,
      error,
    );
  }
  throw errorOf('LISTEN_FAILED', `Can not listen on ${path}: the system says ${errno}.`, error);
}

const errnoOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? String(error);

/** The system says ENOENT too where a directory is there and takes no files, such as /proc. */
const isMissing = async (path: string): Promise<boolean> =>
  await stat(path).then(
    () => false,
    () => true,
  );
