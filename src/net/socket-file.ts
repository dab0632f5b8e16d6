import { chmod, lchown, lstat, rename, unlink } from 'node:fs/promises';
import type { Server } from 'node:net';
import { errorOf, type UdsError } from '../protocol/errors.js';
import { errnoOf, listenError } from './listen-errors.js';
import { openDirectoryOf } from './open-directory.js';
import { LOCK_SUFFIX_BYTES, lockPath, type PathLock } from './path-lock.js';
import { assertPathFits } from './socket-path.js';

/** What to do where everybody may put another file in the place of the socket file. */
export type OnOpenDirectory = 'refuse' | 'warn';

export interface SocketFileSettings {
  readonly path: string;
  /** Permission bits of the socket file; connecting needs the write bit. */
  readonly mode: number;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  readonly backlog: number;
  /** How long others who bind, replace or remove the same file are waited for. */
  readonly lockTimeoutMs: number;
  readonly onOpenDirectory: OnOpenDirectory;
}

/** A file that was published: still there, gone, or another one has its name. */
export type FileState = 'ours' | 'gone' | 'replaced';

/**
 * Makes `server` listen on a private path, under the lock of its own: nobody sees the socket before it listens and has its
 * owner and mode, and nobody else can bind or remove the file meanwhile.
 *
 * @param assertReplaceable is asked of a socket that is there already; it throws where that must stay.
 * @param warn is told what is a risk and no reason to fail.
 * @throws PATH_TOO_LONG, OPEN_DIRECTORY, NOT_A_SOCKET, OWNER_NOT_ALLOWED, LOCK_TIMEOUT, LOCK_BROKEN, DIRECTORY_MISSING, PERMISSION_DENIED,
 * LISTEN_FAILED, and what `assertReplaceable` throws; nothing is left behind then.
 */
export async function bindSocketFile(
  server: Server,
  settings: SocketFileSettings,
  assertReplaceable: (path: string) => Promise<void>,
  warn: (error: UdsError) => void,
): Promise<BoundSocketFile> {
  const { path, lockTimeoutMs, backlog } = settings;
  assertPathFits(path, LOCK_SUFFIX_BYTES);
  // Before anything is made there: what we made could be replaced as well.
  const risk = await openDirectoryOf(path);
  if (risk !== undefined && settings.onOpenDirectory === 'refuse') throw risk;
  if (risk !== undefined) warn(risk);
  const lock = await lockPath(path, lockTimeoutMs);
  let isBound = false;
  try {
    await lock.sweep();
    await assertNothingElse(path, assertReplaceable);
    await listenOn(server, lock.privatePath, backlog);
    isBound = true;
    await chmod(lock.privatePath, settings.mode);
    await giveTo(lock.privatePath, settings);
    const { dev, ino } = await lstat(lock.privatePath, { bigint: true });
    return new BoundSocketFile(new SocketFile(path, dev, ino), lock);
  } catch (error) {
    if (isBound) server.close();
    await lock.release();
    throw await listenError(path, error);
  }
}

/** A socket that listens and is not seen yet; the lock of its path is held. */
export class BoundSocketFile {
  constructor(
    /** What `publish` lets be seen: known before, so that nobody takes it for another's in that moment. */
    readonly file: SocketFile,
    private readonly lock: PathLock,
  ) {}

  /** Gives the socket its name, in place of what had it, in one step: no connect fails meanwhile. @throws what `listenError` says */
  async publish(): Promise<void> {
    try {
      await rename(this.lock.privatePath, this.file.path);
    } catch (error) {
      throw await listenError(this.file.path, error);
    } finally {
      await this.lock.release();
    }
  }

  /** Gives it up; whoever had the name keeps it. */
  async discard(): Promise<void> {
    await this.lock.release();
  }
}

/** The socket file that this process published. */
export class SocketFile {
  constructor(
    readonly path: string,
    private readonly dev: bigint,
    private readonly ino: bigint,
  ) {}

  async look(): Promise<FileState> {
    try {
      const found = await lstat(this.path, { bigint: true });
      return found.dev === this.dev && found.ino === this.ino ? 'ours' : 'replaced';
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return 'gone';
      throw error;
    }
  }

  /** Removes the file unless it is somebody else's by now. @throws LOCK_TIMEOUT, LOCK_BROKEN, and what the system says */
  async remove(lockTimeoutMs: number): Promise<void> {
    if ((await this.look()) !== 'ours') return;
    const lock = await lockPath(this.path, lockTimeoutMs);
    try {
      // Whoever held the lock before may have replaced it.
      if ((await this.look()) === 'ours') await unlink(this.path);
    } finally {
      await lock.release();
    }
  }
}

/** @throws NOT_A_SOCKET, and what `assertReplaceable` throws of a socket. */
async function assertNothingElse(
  path: string,
  assertReplaceable: (path: string) => Promise<void>,
): Promise<void> {
  const found = await lstat(path).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  });
  if (found === undefined) return;
  if (found.isSocket()) {
    await assertReplaceable(path);
    return;
  }
  const kind = found.isDirectory() ? 'directory' : found.isSymbolicLink() ? 'symbolic link' : 'file';
  throw errorOf(
    'NOT_A_SOCKET',
    `${path} is a ${kind}, not a socket, and is left alone. Remove it or choose another path.`,
  );
}

/** One that listens already, on a file that is gone, listens anew: its connections stay. */
function listenOn(server: Server, path: string, backlog: number): Promise<void> {
  if (server.listening) server.close();
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
    // -1 leaves an owner as it is: chown(2). Never through a link: who could put one there must not choose what is given away.
    await lchown(bound, uid ?? -1, gid ?? -1);
  } catch (error) {
    throw errorOf(
      'OWNER_NOT_ALLOWED',
      `The socket can not be given to uid ${uid ?? 'unchanged'}, gid ${gid ?? 'unchanged'}: the system says ${errnoOf(error)}. ` +
        `Only root may give a file away, and others only to a group that they are in (options uid, gid).`,
      error,
    );
  }
}
