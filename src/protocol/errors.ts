/** Whose fault an error is. One class a fault, see the classes below. */
export type Fault = 'caller' | 'peer' | 'connection' | 'remote';

/** What a program may do after an error: is the connection still good, and is it safe to send the call again? */
interface CodeFacts {
  readonly fault: Fault;
  readonly connectionLives: boolean;
  readonly retrySafe: boolean;
}

const of = (fault: Fault, connectionLives: boolean, retrySafe: boolean): CodeFacts => ({
  fault,
  connectionLives,
  retrySafe,
});

/**
 * Every code there is. `docs/errors.md` says what each means and what to do; a test holds the page against
 * this table. A code never changes its meaning; programs compare `error.code` and never a message.
 */
export const ERROR_CODES = {
  INVALID_OPTION: of('caller', true, false),
  INVALID_RECORD: of('caller', true, false),
  INVALID_PATTERN: of('caller', true, false),
  UNSERIALIZABLE_PAYLOAD: of('caller', true, false),
  PAYLOAD_TOO_LARGE: of('caller', true, false),
  METADATA_TOO_LARGE: of('caller', true, false),
  CALL_ABORTED: of('caller', true, false),
  CLIENT_CLOSED: of('caller', false, false),
  PATH_TOO_LONG: of('caller', true, false),
  NOT_A_SOCKET: of('caller', true, false),
  OPEN_DIRECTORY: of('caller', true, false),
  DIRECTORY_MISSING: of('caller', true, false),
  OWNER_NOT_ALLOWED: of('caller', true, false),
  LOCK_BROKEN: of('caller', true, false),

  BAD_HELLO: of('peer', false, false),
  VERSION_MISMATCH: of('peer', false, false),
  UNKNOWN_DIALECT: of('peer', false, false),
  UNKNOWN_TYPE: of('peer', false, false),
  BAD_FRAME: of('peer', false, false),
  FRAME_TOO_LARGE: of('peer', false, false),
  FRAME_CUT: of('peer', false, false),
  UNEXPECTED_FRAME: of('peer', false, false),
  ID_IN_USE: of('peer', false, false),
  TOO_MANY_EVENTS: of('peer', false, false),
  FRAME_TIMEOUT: of('peer', false, false),
  SLOW_READER: of('peer', false, false),

  ADDRESS_IN_USE: of('connection', true, false),
  LOCK_TIMEOUT: of('connection', true, false),
  TAKEOVER_REFUSED: of('connection', true, false),
  TAKEOVER_TIMEOUT: of('connection', true, false),
  SOCKET_GONE: of('connection', true, false),
  SOCKET_REPLACED: of('connection', true, false),
  LISTEN_FAILED: of('connection', true, false),
  SERVER_NOT_FOUND: of('connection', false, true),
  CONNECTION_REFUSED: of('connection', false, true),
  PERMISSION_DENIED: of('connection', false, true),
  SERVER_BUSY: of('connection', false, true),
  CONNECT_FAILED: of('connection', false, true),
  HELLO_TIMEOUT: of('connection', false, true),
  HELLO_LOST: of('connection', false, true),
  CONNECTION_LOST: of('connection', false, false),
  HEARTBEAT_TIMEOUT: of('connection', false, false),
  DEADLINE_EXCEEDED: of('connection', true, false),
  QUEUE_FULL: of('connection', true, true),
  TOO_MANY_CONNECTIONS: of('connection', false, true),

  NO_HANDLER: of('remote', true, false),
  HANDLER_FAILED: of('remote', true, false),
  BAD_PAYLOAD: of('remote', true, false),
  BAD_METADATA: of('remote', true, false),
  TOO_MANY_REQUESTS: of('remote', true, true),
  UNSERIALIZABLE_ANSWER: of('remote', true, false),
  ANSWER_TOO_LARGE: of('remote', true, false),
  STREAM_OVERFLOW: of('remote', true, false),
  SERVER_CLOSING: of('remote', false, true),
  UNKNOWN_REMOTE_ERROR: of('remote', true, false),
} as const satisfies Record<string, CodeFacts>;

/** What `error.code` may be; docs/errors.md says of each what it means and what to do. */
export type UdsErrorCode = keyof typeof ERROR_CODES;

/** What an ERROR frame of the transport carries. */
export interface WireError {
  readonly code: string;
  readonly message: string;
}

export function isWireError(value: unknown): value is WireError {
  if (typeof value !== 'object' || value === null) return false;
  const { code, message } = value as Partial<Record<keyof WireError, unknown>>;
  return typeof code === 'string' && typeof message === 'string';
}

/**
 * The base of every error of this package: a message for a person, which says what happened and what to do, and a stable
 * code for a program.
 * It never holds a stack or a path of the other end.
 *
 * @example
 * try {
 *   await firstValueFrom(client.send('echo', 'hi'));
 * } catch (error) {
 *   if (error instanceof UdsError && error.retrySafe) await tryAgain();
 * }
 */
export class UdsError extends Error {
  readonly code: UdsErrorCode;

  constructor(code: UdsErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = new.target.name;
    this.code = code;
  }

  /** Whether the call certainly did not run and the same call may succeed later: sending it again can't run it twice. */
  get retrySafe(): boolean {
    return ERROR_CODES[this.code].retrySafe;
  }

  toWire(): WireError {
    return { code: this.code, message: this.message };
  }
}

/** The caller asked for something that can't be: mend the call or the option. */
export class UsageError extends UdsError {}

/** The peer broke the protocol; its connection has been closed. */
export class ProtocolError extends UdsError {}

/** The system or the clock stood in the way: no server, a lost connection, time is up. */
export class ConnectionError extends UdsError {}

/** What the other end said of this call, or its answer can't be read; docs/errors.md says by code whether the connection lives. */
export class RemoteError extends UdsError {}

const CLASS_OF_FAULT = {
  caller: UsageError,
  peer: ProtocolError,
  connection: ConnectionError,
  remote: RemoteError,
} as const;

/** Makes the error of the class that the code's fault asks for. */
export function errorOf(code: UdsErrorCode, message: string, cause?: unknown): UdsError {
  return new CLASS_OF_FAULT[ERROR_CODES[code].fault](code, message, cause);
}

/** The error that an ERROR frame of the transport means. A code of a later version keeps its text in the message. */
export function errorFromWire(wire: WireError): UdsError {
  if (Object.hasOwn(ERROR_CODES, wire.code)) {
    return new RemoteError(wire.code as UdsErrorCode, wire.message);
  }
  return new RemoteError('UNKNOWN_REMOTE_ERROR', `${wire.code}: ${wire.message}`);
}
