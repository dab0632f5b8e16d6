import type { BigIntStats } from 'node:fs';
import { chmod, lchown, link, lstat, rename, unlink } from 'node:fs/promises';
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

/** How often what is found at the name may change under one's eyes: whoever goes on with that is no starter of ours. */
const MAX_LOOKS = 10;
/**
 * What link(2) says where the file system has no second names, none for a socket that was given to another user, or no room
 * for one: on tmpfs it takes an inode, which a rename does without.
 */
const NO_LINKS = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSPC', 'EDQUOT'];

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
    const judge = async (): Promise<BigIntStats | undefined> => await replaceableAt(path, assertReplaceable);
    const found = await judge();
    await listenOn(server, lock.privatePath, backlog);
    isBound = true;
    await chmod(lock.privatePath, settings.mode);
    await giveTo(lock.privatePath, settings);
    const { dev, ino } = await lstat(lock.privatePath, { bigint: true });
    return new BoundSocketFile(new SocketFile(path, dev, ino), lock, judge, found);
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
    private readonly judge: () => Promise<BigIntStats | undefined>,
    /** What it is to replace, as far as was seen. */
    private found: BigIntStats | undefined,
  ) {}

  /** Whether its name was free. */
  get isFirst(): boolean {
    return this.found === undefined;
  }

  /**
   * Gives the socket its name in one step, in place of the socket that was found there and may be replaced: no connect fails
   * meanwhile. Of what came to the name since then it is judged anew.
   *
   * @throws NOT_A_SOCKET, what `assertReplaceable` throws, and what `listenError` says
   */
  async publish(): Promise<void> {
    const { path } = this.file;
    try {
      for (let looks = 1; !(await this.#takeName()); looks += 1) {
        if (looks === MAX_LOOKS)
          throw errorOf('LISTEN_FAILED', `What is at ${path} changes again and again.`);
        this.found = await this.judge();
      }
    } catch (error) {
      throw await listenError(path, error);
    } finally {
      await this.lock.release();
    }
  }

  /** Gives false where something else is there than was found. */
  async #takeName(): Promise<boolean> {
    const { privatePath } = this.lock;
    const { path } = this.file;
    // link(2) takes a free name alone. The private one goes with the lock, also where this process dies before that.
    if (this.found === undefined) return await linkOrRename(privatePath, path);
    // rename(2) takes any: whoever keeps the lock can't have put another file there, and for others the moment is short.
    if (!isSame(this.found, await lookAt(path))) return false;
    await rename(privatePath, path);
    return true;
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
    const found = await lookAt(this.path);
    if (found === undefined) return 'gone';
    return found.dev === this.dev && found.ino === this.ino ? 'ours' : 'replaced';
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

/** Gives false where something is there. Without a second name nothing says so in the same step: a look has to do. */
async function linkOrRename(from: string, path: string): Promise<boolean> {
  try {
    await link(from, path);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'EEXIST') return false;
    if (!NO_LINKS.includes(errno)) throw error;
    if ((await lookAt(path)) !== undefined) return false;
    await rename(from, path);
  }
  return true;
}

/** The number of a file that is gone is soon another's. */
const isSame = (one: BigIntStats, other: BigIntStats | undefined): boolean =>
  one.dev === other?.dev && one.ino === other.ino && one.ctimeNs === other.ctimeNs && other.isSocket();

const lookAt = async (path: string): Promise<BigIntStats | undefined> =>
  await lstat(path, { bigint: true }).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  });

/** The socket that is there and may be replaced. @throws NOT_A_SOCKET, and what `assertReplaceable` throws of a socket. */
async function replaceableAt(
  path: string,
  assertReplaceable: (path: string) => Promise<void>,
): Promise<BigIntStats | undefined> {
  const found = await lookAt(path);
  if (found === undefined) return undefined;
  if (found.isSocket()) {
    await assertReplaceable(path);
    return found;
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
