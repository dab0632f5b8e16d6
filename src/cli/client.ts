import type { Connection, ConnectionOwner } from '../net/connection.js';
import type { ConnectionSettings } from '../net/connection-owner.js';
import { dial } from '../net/dialer.js';
import { FairTimer } from '../net/fair-timer.js';
import type { Caller, CallRequest, OutgoingCall } from '../protocol/call.js';
import { BinaryDialect } from '../protocol/dialects/binary.js';
import type { Dialect } from '../protocol/dialects/dialect.js';
import { RawClientDialect } from '../protocol/dialects/raw.js';
import { errorOf, UdsError } from '../protocol/errors.js';
import { deadlineExceeded } from '../protocol/outgoing-calls.js';
import type { Metadata } from '../protocol/payload-codec.js';
import { AnsweringNdjson } from './answering-ndjson.js';
import { TimeLimit } from './time-limits.js';

/** The longest answer that is taken. */
const MAX_FRAME_BYTES = 256 * 1024 ** 2;

const SETTINGS: Omit<ConnectionSettings, 'helloTimeoutMs'> = {
  role: 'client',
  name: 'nest-uds command line',
  pid: process.pid,
  maxFrameBytes: MAX_FRAME_BYTES,
  maxBufferedBytes: 1024 ** 2,
  partialFrameTimeoutMs: 0,
  closeTimeoutMs: 1_000,
  streamCreditBytes: 262_144,
  // What follows is a server's affair.
  slowReaderTimeoutMs: 0,
  // Whoever waits at a terminal ends the wait.
  heartbeatIntervalMs: 0,
  heartbeatTimeoutMs: 0,
  maxInFlight: 0,
  maxEvents: 0,
  maxMetadataBytes: 0,
};

/** What `send` can speak. */
export type ClientDialect = 'binary' | 'ndjson' | 'raw';

/** What one call asks for. */
export interface Question {
  readonly pattern: string;
  readonly payload: unknown;
  readonly metadata?: Metadata | undefined;
  /** Until the first answer; 0 waits for ever. */
  readonly timeoutMs: number;
}

/** One connection to a server. */
export class Client {
  private constructor(
    private readonly connection: Connection,
    private readonly dialect: Dialect,
    /** Resolves when the connection has ended: with why, where that was no good end. */
    readonly closed: Promise<UdsError | undefined>,
  ) {}

  /**
   * @param timeoutMs what the command line says; undefined where it does not, 0 for no limit of an answer.
   * @throws UdsError: what `dial` says.
   */
  static async connect(
    path: string,
    timeoutMs: number | undefined,
    name: ClientDialect = 'binary',
  ): Promise<Client> {
    let end: (error: UdsError | undefined) => void = ignore;
    const closed = new Promise<UdsError | undefined>((resolve) => {
      end = resolve;
    });
    const owner: ConnectionOwner = {
      opened: ignore,
      called: ignore,
      takenOver: ignore,
      refused: ignore,
      left: ignore,
      freed: ignore,
      closed: (_connection, error) => end(error),
    };
    // Who waits for ever for an answer wants to know whether anybody is there.
    const limitMs = timeoutMs || TimeLimit.CONNECT;
    const settings = { ...SETTINGS, helloTimeoutMs: limitMs };
    const dialect = make(name);
    try {
      return new Client(await dial(path, settings, owner, limitMs, undefined, dialect), dialect, closed);
    } catch (error) {
      throw isHelloTimeout(error) ? unansweredHello(path, limitMs, error) : error;
    }
  }

  /** Who the server said it is, in a dialect that has a hello. */
  get server(): { readonly name: string; readonly pid: number } | undefined {
    return this.connection.session.peer;
  }

  get isOver(): boolean {
    return this.connection.isOver;
  }

  /** Begins a call; undefined where it could not be written, of which the caller has been told. */
  request(question: Question, caller: Caller): OutgoingCall | undefined {
    const nowMs = performance.now();
    const call = this.connection.session.outgoing.request(requestOf(question, nowMs), caller, nowMs);
    this.connection.flush();
    return call;
  }

  /** Resolves with the last value of the answer. @throws what the call failed with. */
  ask(question: Question): Promise<unknown> {
    return new Promise((resolve, reject) => {
      let last: unknown;
      const call = this.request(question, {
        next: (value, _isEnveloped, wireBytes) => {
          last = value;
          if (call !== undefined) this.consume(call, wireBytes);
        },
        end: (value) => resolve(value ?? last),
        // What a handler failed with is handed on as it came.
        fail: reject,
      });
    });
  }

  /**
   * Resolves when the event was taken: by the system, where the server's hello has come; by the server, where nothing was
   * heard of it yet. @throws UdsError
   */
  async emit(question: Question): Promise<void> {
    await within(question.timeoutMs, this.#emit(question));
  }

  /** The value was used: the server may send more. */
  consume(call: OutgoingCall, wireBytes: number): void {
    this.connection.session.outgoing.consume(call, wireBytes);
  }

  cancel(call: OutgoingCall): void {
    this.connection.session.outgoing.cancel(call);
    this.connection.flush();
  }

  /** Reads nothing until `resume`: the only way to hold back a server that counts no credit. */
  pause(): void {
    this.connection.socket.pause();
  }

  resume(): void {
    this.connection.socket.resume();
  }

  /** Says that no more calls will come, in a dialect that has no other way to. */
  endInput(): void {
    this.connection.flush();
    this.connection.socket.end();
  }

  /** What the server has not taken yet. */
  get waitingBytes(): number {
    return this.connection.socket.writableLength;
  }

  /** Ends with the last call. */
  leave(): void {
    this.connection.leave();
  }

  /** Ends now. */
  close(): void {
    this.connection.close(errorOf('CLIENT_CLOSED', 'The command has ended.'));
  }

  async #emit(question: Question): Promise<void> {
    const { dialect } = this;
    await new Promise<void>((resolve, reject) => {
      const nowMs = performance.now();
      this.connection.emit(requestOf(question, nowMs), nowMs, (error) => {
        if (error === undefined) resolve();
        // The server may have said why it read no further.
        else this.#lost().catch(reject);
      });
      // Lines are read in their order, and a ping is answered whatever became of the line before it. In the same write, so
      // that a server that hangs up at the event is heard first.
      if (dialect instanceof AnsweringNdjson) this.connection.session.ping(1);
      this.connection.flush();
    });
    if (dialect instanceof AnsweringNdjson) await Promise.race([dialect.pong, this.#lost()]);
  }

  async #lost(): Promise<never> {
    const error = await this.closed;
    throw (
      error ??
      errorOf('CONNECTION_LOST', 'The server closed the connection, and has not said that it took the event.')
    );
  }
}

function ignore(): void {
  // Nothing is to be done.
}

function make(dialect: ClientDialect): Dialect {
  if (dialect === 'raw') return new RawClientDialect();
  return dialect === 'ndjson' ? new AnsweringNdjson(MAX_FRAME_BYTES) : new BinaryDialect(MAX_FRAME_BYTES);
}

const isHelloTimeout = (error: unknown): boolean =>
  error instanceof UdsError && error.code === 'HELLO_TIMEOUT';

const unansweredHello = (path: string, limitMs: number, cause: unknown): UdsError =>
  errorOf(
    'HELLO_TIMEOUT',
    `The server at ${path} did not answer within ${limitMs} ms: it hangs, or does not speak nest-uds.`,
    cause,
  );

/** @param timeoutMs 0 waits for ever. @throws DEADLINE_EXCEEDED */
async function within(timeoutMs: number, taken: Promise<void>): Promise<void> {
  if (timeoutMs === 0) {
    await taken;
    return;
  }
  let timer: FairTimer | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = new FairTimer(timeoutMs, () => reject(deadlineExceeded()));
  });
  try {
    await Promise.race([taken, late]);
  } finally {
    timer?.cancel();
  }
}

function requestOf({ pattern, payload, metadata, timeoutMs }: Question, nowMs: number): CallRequest {
  const deadlineMs = timeoutMs === 0 ? Infinity : nowMs + timeoutMs;
  return { pattern, payload, metadata, isEnveloped: false, deadlineMs };
}
