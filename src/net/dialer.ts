import { stat } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { BinaryDialect } from '../protocol/dialects/binary.js';
import type { Dialect } from '../protocol/dialects/dialect.js';
import { errorOf, UdsError, type UdsErrorCode } from '../protocol/errors.js';
import { openSocket } from './client-socket.js';
import { Connection, type ConnectionOwner } from './connection.js';
import type { ConnectionSettings } from './connection-owner.js';
import { FairTimer } from './fair-timer.js';
import { assertPathFits } from './socket-path.js';

interface Cause {
  readonly code: UdsErrorCode;
  readonly advice: string;
}

const START = 'Start the server there, or correct the path.';

const NO_SOCKET: Cause = { code: 'NOT_A_SOCKET', advice: 'That is no socket: correct the path.' };

/** What each errno of connect(2) on a Unix socket means, and what to do. Seen on Linux with Node 20 to 26. */
const CAUSES: Readonly<Record<string, Cause>> = {
  ENOENT: { code: 'SERVER_NOT_FOUND', advice: `No file is there. ${START}` },
  ENOTDIR: { code: 'SERVER_NOT_FOUND', advice: `A part of the path is no directory. ${START}` },
  ECONNREFUSED: { code: 'CONNECTION_REFUSED', advice: `Nobody listens on that file. ${START}` },
  EACCES: {
    code: 'PERMISSION_DENIED',
    advice: `Connecting needs write permission on the socket and search permission on its directory: its owner can grant both (option mode or gid of the server).`,
  },
  EAGAIN: {
    code: 'SERVER_BUSY',
    advice: 'Its queue of connections stayed full: connect less at once, or raise its option backlog.',
  },
  // Its listener ended while the connection waited to be accepted: no other than one that ends as it says hello.
  ECONNRESET: { code: 'HELLO_LOST', advice: 'The server ended before it accepted the connection.' },
  // macOS, of what Linux refuses.
  ENOTSOCK: NO_SOCKET,
  EPROTOTYPE: { code: 'CONNECT_FAILED', advice: 'That is a socket of another type: correct the path.' },
};

async function connectError(path: string, error: NodeJS.ErrnoException): Promise<UdsError> {
  if (error instanceof UdsError) return error;
  const errno = error.code ?? 'an unknown error';
  // Linux says the same of a socket on which nobody listens and of what is none.
  const isNone = errno === 'ECONNREFUSED' && (await isNoSocket(path));
  const cause = isNone ? NO_SOCKET : (CAUSES[errno] ?? { code: 'CONNECT_FAILED', advice: START });
  return errorOf(cause.code, `Can not connect to ${path}: the system says ${errno}. ${cause.advice}`, error);
}

/** Of what a link leads to, as connect(2) does. */
const isNoSocket = async (path: string): Promise<boolean> =>
  await stat(path).then(
    (found) => !found.isSocket(),
    () => false,
  );

/** Whether a server that is just being started or restarted explains the error, so that another attempt makes sense. */
export function isWorthRetrying(error: UdsError): boolean {
  return (
    error.code === 'SERVER_NOT_FOUND' ||
    error.code === 'CONNECTION_REFUSED' ||
    error.code === 'SERVER_BUSY' ||
    error.code === 'HELLO_LOST' ||
    error.code === 'HELLO_TIMEOUT'
  );
}

/**
 * Connects, and waits until the server's hello has come: a connection that is given was answered by a live event loop.
 *
 * @param timeoutMs for both together.
 * @param stop gives up at once when it aborts, with CLIENT_CLOSED.
 * @param dialect what is spoken; one without a hello stands as soon as the socket does.
 * @throws PATH_TOO_LONG, SERVER_NOT_FOUND, NOT_A_SOCKET, CONNECTION_REFUSED, SERVER_BUSY, PERMISSION_DENIED, CONNECT_FAILED,
 * HELLO_TIMEOUT, HELLO_LOST, BAD_HELLO, VERSION_MISMATCH, UNKNOWN_DIALECT. Nothing is left open then.
 */
export async function dial(
  path: string,
  settings: ConnectionSettings,
  owner: ConnectionOwner,
  timeoutMs: number,
  stop?: AbortSignal,
  dialect: Dialect = new BinaryDialect(settings.maxFrameBytes),
): Promise<Connection> {
  assertPathFits(path);
  const limit = new DialLimit(path, timeoutMs, stop);
  try {
    const socket = await connectSocket(path, dialect, limit);
    return await openConnection(path, socket, settings, owner, limit, dialect);
  } finally {
    limit.end();
  }
}

/** Ends an attempt that takes too long, or that nobody wants any more. */
class DialLimit {
  #giveUp: ((error: UdsError) => void) | undefined;
  readonly #timer: FairTimer;
  readonly #stopped = (): void =>
    this.#giveUp?.(errorOf('CLIENT_CLOSED', 'The client was closed while it connected.'));

  constructor(
    path: string,
    timeoutMs: number,
    private readonly stop: AbortSignal | undefined,
  ) {
    this.#timer = new FairTimer(timeoutMs, () => this.#giveUp?.(helloTimeout(path)));
    stop?.addEventListener('abort', this.#stopped);
  }

  /** @param giveUp ends the step that is under way. */
  during(giveUp: (error: UdsError) => void): void {
    this.#giveUp = giveUp;
  }

  end(): void {
    this.#timer.cancel();
    this.stop?.removeEventListener('abort', this.#stopped);
  }
}

function connectSocket(path: string, dialect: Dialect, limit: DialLimit): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = openSocket(path, dialect);
    limit.during((error) => socket.destroy(error));
    const fail = (error: NodeJS.ErrnoException): void => void connectError(path, error).then(reject);
    socket.once('error', fail);
    socket.once('connect', () => {
      socket.off('error', fail);
      resolve(socket);
    });
  });
}

function openConnection(
  path: string,
  socket: Socket,
  settings: ConnectionSettings,
  owner: ConnectionOwner,
  limit: DialLimit,
  dialect: Dialect,
): Promise<Connection> {
  return new Promise((resolve, reject) => {
    let isOpen = false;
    const connection = new Connection(
      socket,
      settings,
      {
        called: (on, call) => owner.called(on, call),
        refused: (on, error) => owner.refused(on, error),
        left: (on) => owner.left(on),
        takenOver: (on) => owner.takenOver(on),
        freed: (on) => owner.freed(on),
        opened: (opened) => {
          isOpen = true;
          resolve(opened);
          owner.opened(opened);
        },
        closed: (closed, error) => {
          if (isOpen) owner.closed(closed, error);
          else reject(helloError(path, error));
        },
      },
      dialect,
    );
    limit.during((error) => {
      if (isOpen) return;
      connection.close(error);
      reject(error);
    });
    connection.open();
  });
}

/** Nothing was sent on a connection that ends before its hello: whatever ended it, that is certain. */
function helloError(path: string, error: UdsError | undefined): UdsError {
  const isLoss = error === undefined || error.code === 'CONNECTION_LOST' || error.code === 'FRAME_CUT';
  if (error?.code === 'BAD_HELLO') {
    return errorOf(
      'BAD_HELLO',
      `What answers at ${path} does not speak nest-uds, or not the dialect that is asked for: correct the path.`,
      error,
    );
  }
  if (!isLoss) return error;
  return errorOf(
    'HELLO_LOST',
    `The server at ${path} closed the connection before it answered the hello.`,
    error,
  );
}

/** The server accepts, or its system does for it, and says nothing. */
export function helloTimeout(path: string): UdsError {
  return errorOf(
    'HELLO_TIMEOUT',
    `The server at ${path} did not answer within the time (connectTimeoutMs): it hangs, or does not speak nest-uds.`,
  );
}
