import type { Connection, ConnectionOwner } from '../net/connection.js';
import type { ConnectionSettings } from '../net/connection-owner.js';
import { dial } from '../net/dialer.js';
import type { Caller, CallRequest, OutgoingCall } from '../protocol/call.js';
import { BinaryDialect } from '../protocol/dialects/binary.js';
import type { Dialect } from '../protocol/dialects/dialect.js';
import { NdjsonDialect } from '../protocol/dialects/ndjson.js';
import { RawClientDialect } from '../protocol/dialects/raw.js';
import { errorOf } from '../protocol/errors.js';
import type { Metadata } from '../protocol/payload-codec.js';

/** The longest answer that is taken. */
const MAX_FRAME_BYTES = 256 * 1024 ** 2;
const CONNECT_TIMEOUT_MS = 2_000;

const SETTINGS: ConnectionSettings = {
  role: 'client',
  name: 'nest-uds command line',
  pid: process.pid,
  maxFrameBytes: MAX_FRAME_BYTES,
  maxBufferedBytes: 1024 ** 2,
  helloTimeoutMs: CONNECT_TIMEOUT_MS,
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
    /** Resolves when the connection has ended. */
    readonly closed: Promise<void>,
  ) {}

  /**
   * @param timeoutMs of the question that is to be asked; 0 is none. Connecting takes no longer than that.
   * @throws UdsError: what `dial` says.
   */
  static async connect(path: string, timeoutMs: number, dialect: ClientDialect = 'binary'): Promise<Client> {
    let end: () => void = ignore;
    const closed = new Promise<void>((resolve) => {
      end = resolve;
    });
    const owner: ConnectionOwner = {
      opened: ignore,
      called: ignore,
      takenOver: ignore,
      refused: ignore,
      left: ignore,
      freed: ignore,
      closed: () => end(),
    };
    const limitMs = timeoutMs === 0 ? CONNECT_TIMEOUT_MS : Math.min(CONNECT_TIMEOUT_MS, timeoutMs);
    const connection = await dial(path, SETTINGS, owner, limitMs, undefined, make(dialect));
    return new Client(connection, closed);
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

  /** Resolves when the system has taken the event. @throws UdsError */
  emit(question: Question): Promise<void> {
    return new Promise((resolve, reject) => {
      const nowMs = performance.now();
      this.connection.emit(requestOf(question, nowMs), nowMs, (error) => {
        if (error === undefined) resolve();
        else reject(error);
      });
      this.connection.flush();
    });
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
}

function ignore(): void {
  // Nothing is to be done.
}

function make(dialect: ClientDialect): Dialect {
  if (dialect === 'raw') return new RawClientDialect();
  return dialect === 'ndjson'
    ? new NdjsonDialect(MAX_FRAME_BYTES, 'client')
    : new BinaryDialect(MAX_FRAME_BYTES);
}

function requestOf({ pattern, payload, metadata, timeoutMs }: Question, nowMs: number): CallRequest {
  const deadlineMs = timeoutMs === 0 ? Infinity : nowMs + timeoutMs;
  return { pattern, payload, metadata, isEnveloped: false, deadlineMs };
}
