import { createConnection, type Socket } from 'node:net';
import { BinaryDialect } from '../protocol/dialects/binary.js';
import { errorOf, type UdsError, type UdsErrorCode } from '../protocol/errors.js';
import { Connection, type ConnectionOwner, type ConnectionSettings } from './connection.js';
import { assertPathFits } from './socket-path.js';

interface Cause {
  readonly code: UdsErrorCode;
  readonly advice: string;
}

const START = 'Start the server there, or correct the option path.';

/** What each errno of connect(2) on a Unix socket means, and what to do. Seen on Linux with Node 20 to 26. */
const CAUSES: Readonly<Record<string, Cause>> = {
  ENOENT: { code: 'SERVER_NOT_FOUND', advice: `No file is there. ${START}` },
  ENOTDIR: { code: 'SERVER_NOT_FOUND', advice: `A part of the path is no directory. ${START}` },
  ECONNREFUSED: { code: 'CONNECTION_REFUSED', advice: `Nobody listens on that file. ${START}` },
  EACCES: {
    code: 'PERMISSION_DENIED',
    advice: `Connecting needs write permission on the socket and search permission on its directory: its owner can grant both (option mode or gid of the server).`,
  },
  EAGAIN: { code: 'SERVER_BUSY', advice: 'Its queue of connections is full.' },
  EPROTOTYPE: { code: 'CONNECT_FAILED', advice: 'That is a socket of another type.' },
};

function connectError(path: string, error: NodeJS.ErrnoException): UdsError {
  const errno = error.code ?? 'an unknown error';
  const cause = CAUSES[errno] ?? { code: 'CONNECT_FAILED', advice: START };
  return errorOf(cause.code, `Can not connect to ${path}: the system says ${errno}. ${cause.advice}`, error);
}

/** Whether a server that is just being started or restarted explains the error, so that another attempt makes sense. */
export function isWorthRetrying(error: UdsError): boolean {
  return (
    error.code === 'SERVER_NOT_FOUND' ||
    error.code === 'CONNECTION_REFUSED' ||
    error.code === 'SERVER_BUSY' ||
    error.code === 'CONNECTION_LOST'
  );
}

/**
 * Connects, and waits until the server's hello has come: a connection that is given was answered by a live event loop.
 *
 * @param timeoutMs for both together.
 * @throws PATH_TOO_LONG, SERVER_NOT_FOUND, CONNECTION_REFUSED, SERVER_BUSY, PERMISSION_DENIED, CONNECT_FAILED,
 * HELLO_TIMEOUT, CONNECTION_LOST, VERSION_MISMATCH. Nothing is left open then.
 */
export async function dial(
  path: string,
  settings: ConnectionSettings,
  owner: ConnectionOwner,
  timeoutMs: number,
): Promise<Connection> {
  assertPathFits(path);
  const endsAtMs = performance.now() + timeoutMs;
  const socket = await connectSocket(path, timeoutMs);
  return await openConnection(path, socket, settings, owner, Math.max(1, endsAtMs - performance.now()));
}

function connectSocket(path: string, timeoutMs: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ path });
    const timer = setTimeout(() => socket.destroy(helloTimeout(path)), timeoutMs);
    const fail = (error: NodeJS.ErrnoException): void => {
      clearTimeout(timer);
      reject(connectError(path, error));
    };
    socket.once('error', fail);
    socket.once('connect', () => {
      clearTimeout(timer);
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
  timeoutMs: number,
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
        freed: (on) => owner.freed(on),
        opened: (opened) => {
          isOpen = true;
          clearTimeout(timer);
          resolve(opened);
          owner.opened(opened);
        },
        closed: (closed, error) => {
          clearTimeout(timer);
          if (isOpen) owner.closed(closed, error);
          else reject(error ?? closedEarly(path));
        },
      },
      new BinaryDialect(settings.maxFrameBytes),
    );
    const timer = setTimeout(() => {
      connection.close(helloTimeout(path));
      reject(helloTimeout(path));
      socket.destroy();
    }, timeoutMs);
    connection.session.open();
    connection.flush();
  });
}

const closedEarly = (path: string): UdsError =>
  errorOf('CONNECTION_LOST', `The server at ${path} closed the connection before it answered the hello.`);

const helloTimeout = (path: string): UdsError =>
  errorOf(
    'HELLO_TIMEOUT',
    `The server at ${path} accepted the connection and did not answer within the time (connectTimeoutMs): it hangs, or does not speak nest-uds.`,
  );
