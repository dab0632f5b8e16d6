import { lstat, mkdtemp, readdir, rename, rm, rmdir, unlink } from 'node:fs/promises';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { errorOf, type UdsError } from '../protocol/errors.js';
import { quote } from '../protocol/quote.js';
import { errnoOf, listenError } from './listen-errors.js';

/**
 * Who binds, replaces or removes the socket file P holds the lock of P, a directory with a socket in it on which the holder
 * listens:
 *
 *   P.lock.XXXXXX/XXXXXX   made by mkdtemp, listened on
 *          |  rename, which works only where P.lock is absent or empty
 *   P.lock/XXXXXX          held; the six characters are never used again, so that who finds a dead holder's name and
 *                          unlinks it can't hit the next holder's
 *
 * A holder that dies stops listening: whoever comes next unlinks its name and goes on. Those who wait keep a connection to
 * the holder, which ends with it. There is no pid in it, so it works between containers; rename(2) alone decides.
 */
const LOCK_SUFFIX = '.lock';
const RANDOM_CHARACTERS = 6;
const CLAIM_NAME = /^[A-Za-z0-9]{6}$/;
/** What a holder binds there before it publishes it. */
const BOUND_NAME = /^[A-Za-z0-9]{6}s$/;
const NAMES = [CLAIM_NAME, BOUND_NAME];

/** How long to wait where so many ask a holder that its queue is full. */
const FULL_QUEUE_DELAY_MS = 10;

/** What the lock adds to a path: `.lock.XXXXXX/XXXXXX`. */
export const LOCK_SUFFIX_BYTES = LOCK_SUFFIX.length + 1 + RANDOM_CHARACTERS + 1 + RANDOM_CHARACTERS;

/** A lock that this process holds. */
export interface PathLock {
  /** A path that nobody else uses while the lock is held; its directory is open to its owner alone. */
  readonly privatePath: string;
  /** Removes what starters that died have left beside the lock. */
  sweep(): Promise<void>;
  release(): Promise<void>;
}

/**
 * Takes the lock of a socket's path.
 *
 * @param timeoutMs how long other holders are waited for.
 * @throws LOCK_TIMEOUT, LOCK_BROKEN, and what `listenError` says of the directory.
 */
export async function lockPath(path: string, timeoutMs: number): Promise<PathLock> {
  const endsAtMs = performance.now() + timeoutMs;
  for (;;) {
    const claim = await Claim.make(path);
    try {
      while (claim.isSound) {
        if (await claim.take()) return claim;
        if (performance.now() >= endsAtMs) throw lockTimeout(path, timeoutMs);
        await waitForHolder(path + LOCK_SUFFIX, endsAtMs);
      }
    } catch (error) {
      await claim.discard();
      throw (await foreignLock(path + LOCK_SUFFIX, error)) ?? (await listenError(path, error));
    }
    await claim.discard();
  }
}

/** A name of one's own, on which one listens, on its way to be the lock. */
class Claim implements PathLock {
  /** False once somebody has removed the name: bound and not yet listened on it looked like a dead starter's. */
  isSound = true;
  readonly #waiting = new Set<Socket>();
  readonly #server: Server;
  readonly #lock: string;
  readonly #name: string;

  private constructor(
    private readonly path: string,
    private readonly directory: string,
  ) {
    this.#lock = path + LOCK_SUFFIX;
    this.#name = directory.slice(-RANDOM_CHARACTERS);
    this.#server = createServer((socket) => {
      this.#waiting.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => this.#waiting.delete(socket));
      socket.resume();
    });
  }

  static async make(path: string): Promise<Claim> {
    const directory = await mkdtemp(`${path}${LOCK_SUFFIX}.`).catch(async (error: unknown) => {
      throw await listenError(path, error);
    });
    const claim = new Claim(path, directory);
    try {
      await claim.#listen();
    } catch (error) {
      claim.isSound = await exists(directory);
      await claim.discard();
      // Empty, it looked like a dead starter's.
      if (claim.isSound) throw await listenError(path, error);
    }
    return claim;
  }

  get privatePath(): string {
    return `${this.#lock}/${this.#name}s`;
  }

  /** Gives false where somebody else has the lock, or this name is not sound any more. */
  async take(): Promise<boolean> {
    try {
      await rename(this.directory, this.#lock);
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === 'ENOTDIR') throw brokenLock(this.#lock, 'is no directory');
      if (errno === 'ENOENT') this.isSound = false;
      else if (errno !== 'ENOTEMPTY' && errno !== 'EEXIST') throw error;
      return false;
    }
    // An empty directory locks nothing: another one can be renamed over it.
    this.isSound = await exists(`${this.#lock}/${this.#name}`);
    return this.isSound;
  }

  async sweep(): Promise<void> {
    const folder = dirname(this.path);
    const prefix = `${basename(this.path)}${LOCK_SUFFIX}.`;
    // A directory that may be written and not read has nothing to be swept.
    for (const { name, path, isDirectory } of await entriesOf(folder).catch(() => [])) {
      const claim = name.slice(prefix.length);
      // Never through a link: what lies where it leads is nobody's of ours.
      if (isDirectory && name.startsWith(prefix) && CLAIM_NAME.test(claim)) await removeIfDead(path, claim);
    }
  }

  async release(): Promise<void> {
    await unlink(this.privatePath).catch(ignore);
    await unlink(`${this.#lock}/${this.#name}`).catch(ignore);
    // Not empty where the next holder was quicker.
    await rmdir(this.#lock).catch(ignore);
    this.#stopListening();
  }

  /** Gives up a name that is not the lock. */
  async discard(): Promise<void> {
    await rm(this.directory, { recursive: true, force: true }).catch(ignore);
    this.#stopListening();
  }

  #listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      // Exclusive: in a worker of a cluster the primary would listen in its place, and outlive it.
      this.#server.listen({ path: `${this.directory}/${this.#name}`, exclusive: true }, () => {
        // What can't be accepted is a waiter that asks again.
        this.#server.off('error', reject).on('error', ignore).unref();
        resolve();
      });
    });
  }

  #stopListening(): void {
    if (this.#server.listening) this.#server.close();
    for (const socket of this.#waiting) socket.destroy();
  }
}

/** Returns when another attempt makes sense. @throws LOCK_BROKEN */
async function waitForHolder(lock: string, endsAtMs: number): Promise<void> {
  const entries = await entriesOf(lock);
  const foreign = entries.find(({ name, isSocket }) => !isSocket || !NAMES.some((known) => known.test(name)));
  if (foreign !== undefined) throw brokenLock(lock, `holds ${quote(foreign.name)}`);
  for (const { path } of entries.filter(({ name }) => CLAIM_NAME.test(name))) {
    if ((await ask(path, endsAtMs - performance.now())) !== 'dead') return;
  }
  // What a living holder has bound lies beside its name: nothing is touched before no name in there lives.
  for (const { path } of entries) await unlink(path).catch(ignore);
}

/** What a starter that died has left. One that lives and is robbed of its name starts over. */
async function removeIfDead(directory: string, claim: string): Promise<void> {
  for (const { name, path, isSocket } of await entriesOf(directory).catch(() => [])) {
    if (isSocket && name === claim && (await ask(path, 0).catch(ignore)) === 'dead')
      await unlink(path).catch(ignore);
  }
  await rmdir(directory).catch(ignore);
}

/**
 * Asks a socket whether its owner listens, and waits for the end of one who does.
 *
 * @param waitMs how long to wait for the end.
 */
function ask(path: string, waitMs: number): Promise<'alive' | 'dead' | 'gone'> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ path });
    let timer: NodeJS.Timeout | undefined;
    socket.on('connect', () => (timer = setTimeout(() => socket.destroy(), Math.max(0, waitMs))));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      const { code } = error;
      // An error of one that stood is the holder's end.
      if (timer !== undefined) return;
      if (code === 'EAGAIN') setTimeout(() => resolve('alive'), FULL_QUEUE_DELAY_MS);
      else if (code === 'ECONNREFUSED') resolve('dead');
      // Ended before it accepted: whoever asks again finds out what became of it.
      else if (code === 'ECONNRESET') resolve('alive');
      else if (code === 'ENOENT' || code === 'ENOTDIR') resolve('gone');
      else reject(error);
    });
    socket.on('close', () => {
      clearTimeout(timer);
      if (timer !== undefined) resolve('alive');
    });
    socket.resume();
  });
}

interface Entry {
  readonly name: string;
  readonly path: string;
  readonly isSocket: boolean;
  readonly isDirectory: boolean;
}

/** What is in a directory; nothing where it is gone. */
async function entriesOf(directory: string): Promise<Entry[]> {
  try {
    const entries = await readdir(directory, { withFileTypes: true });
    return entries.map((entry) => ({
      name: entry.name,
      path: join(directory, entry.name),
      isSocket: entry.isSocket(),
      isDirectory: entry.isDirectory(),
    }));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}

const exists = async (path: string): Promise<boolean> =>
  await lstat(path).then(
    () => true,
    () => false,
  );

const ignore = (): void => undefined;

function brokenLock(lock: string, what: string): UdsError {
  return errorOf('LOCK_BROKEN', `${lock} is to be the lock of the socket's path, but ${what}: remove it.`);
}

/** Where the directory may be written, and the lock that lies in it is another user's. */
async function foreignLock(lock: string, error: unknown): Promise<UdsError | undefined> {
  if (!['EACCES', 'EPERM'].includes(errnoOf(error))) return undefined;
  const owner = await lstat(lock).catch(ignore);
  if (owner === undefined || owner.uid === process.geteuid?.()) return undefined;
  return errorOf(
    'PERMISSION_DENIED',
    `${lock} is the lock of another user (uid ${owner.uid}), who starts or stops a server there, or died there: that user or root can say which, and remove it.`,
    error,
  );
}

function lockTimeout(path: string, timeoutMs: number): UdsError {
  return errorOf(
    'LOCK_TIMEOUT',
    `Another process has held ${path}${LOCK_SUFFIX} for more than ${timeoutMs} ms (option lockTimeoutMs): it starts or stops there, or hangs.`,
  );
}
