import type { Buffer } from 'node:buffer';
import type { Socket } from 'node:net';
import type { CallRequest, IncomingCall } from '../protocol/call.js';
import { detectDialect } from '../protocol/dialects/detect.js';
import type { Dialect } from '../protocol/dialects/dialect.js';
import { errorOf, UdsError } from '../protocol/errors.js';
import type { Message } from '../protocol/message.js';
import { Session } from '../protocol/session.js';
import type { SessionSettings } from '../protocol/session-owner.js';
import { lostBecause, whereHelloWasDue } from './connection-errors.js';
import { DeadlineTimer } from './deadline-timer.js';
import { FrameWriter, type Written } from './frame-writer.js';

export interface ConnectionSettings extends SessionSettings {
  /** Above this many bytes that wait to be written, a server stops reading here and a client sends no more calls. */
  readonly maxBufferedBytes: number;
  /** How long the peer's hello may take, from its first byte. */
  readonly helloTimeoutMs: number;
  /** How long the last bytes of a connection may take to leave before it is cut. */
  readonly closeTimeoutMs: number;
}

/** Who is told what happens on a connection. */
export interface ConnectionOwner {
  opened(connection: Connection): void;
  called(connection: Connection, call: IncomingCall): void;
  refused(connection: Connection, error: UdsError): void;
  left(connection: Connection): void;
  freed(connection: Connection): void;
  /** The last word. `error` says why, and is undefined where it ended in good order or by `close`. */
  closed(connection: Connection, error: UdsError | undefined): void;
}

/**
 * One socket with its dialect and session. Bytes come in through `data`, messages go out through `write`; frames of
 * one tick share a write.
 */
export class Connection {
  readonly session: Session;
  readonly #writer: FrameWriter;
  /** Calls of the chunk that is being read. */
  readonly #taken: IncomingCall[] = [];
  #dialect: Dialect | undefined;
  #isOver = false;
  #error: UdsError | undefined;
  #helloTimer: NodeJS.Timeout | undefined;
  readonly #deadlineTimer = new DeadlineTimer(() => {
    this.session.expire(performance.now());
    this.#watchDeadlines();
  });

  /** @param dialect what a client speaks; a server leaves it out and learns it from the first byte. */
  constructor(
    readonly socket: Socket,
    private readonly settings: ConnectionSettings,
    private readonly owner: ConnectionOwner,
    dialect?: Dialect,
  ) {
    this.#writer = new FrameWriter(socket, () => this.#flushed());
    if (dialect !== undefined) this.#speak(dialect);
    this.session = new Session(settings, this, {
      opened: () => {
        this.#clearHelloTimer();
        owner.opened(this);
      },
      called: (call) => this.#taken.push(call),
      refused: (error) => owner.refused(this, error),
      left: () => {
        owner.left(this);
        this.#endIfFinished();
      },
      freed: () => {
        owner.freed(this);
        this.#endIfFinished();
      },
      ponged: () => undefined,
    });
    socket.on('error', (error) => this.#fail(lostBecause(error)));
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('end', () => this.#readEnd());
    socket.on('drain', () => this.#drained());
    socket.on('close', () => this.#socketClosed());
  }

  /**
   * Whether so much waits for the socket that no call or value should be added. What is packed and not yet given to the
   * socket is not counted: it is less than EAGER_BYTES, and `drain` says nothing of it.
   */
  get isCongested(): boolean {
    return this.socket.writableLength > this.settings.maxBufferedBytes;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** False also from the moment in which the socket is destroyed until it says so. */
  get canWrite(): boolean {
    return !this.#isOver && !this.socket.destroyed;
  }

  /** Packs a message; gives the bytes of its frame. @throws UsageError where it can't be written. */
  write(message: Message): number {
    return this.#isOver ? 0 : this.#writer.write(message);
  }

  /**
   * Writes an event and calls back once the kernel has taken its bytes, or never will.
   *
   * @throws UsageError where it can't be written; there is no callback then.
   */
  emit(event: CallRequest, nowMs: number, written: Written): void {
    this.#writer.writeWatched(() => this.session.outgoing.emit(event, nowMs), written);
  }

  /** Writes what is packed now. */
  flush(): void {
    if (!this.#isOver) this.#writer.flush();
  }

  /** Says that this end opens nothing more here; the connection ends by itself with its last call. */
  leave(): void {
    this.session.goAway();
    this.#endIfFinished();
  }

  /** Ends the connection now. What the system has not taken is dropped; what is in flight fails with `error`. */
  close(error: UdsError): void {
    if (!this.#isOver) this.#end(error);
    this.socket.destroy();
  }

  #read(chunk: Buffer): void {
    if (this.#isOver) return;
    const failure = this.#decode(chunk);
    // What came before a broken frame is sound.
    this.#startTaken();
    if (failure !== undefined) {
      this.#fail(this.session.peer === undefined ? whereHelloWasDue(failure) : failure);
      return;
    }
    this.#watchDeadlines();
    if (this.session.peer === undefined) this.#armHelloTimer();
  }

  #decode(chunk: Buffer): UdsError | undefined {
    try {
      const dialect = this.#dialect ?? this.#speak(this.#detect(chunk));
      const nowMs = performance.now();
      dialect.decode(chunk, (message) => {
        if (!this.#isOver) this.session.receive(message, nowMs);
      });
      return undefined;
    } catch (error) {
      if (!(error instanceof UdsError)) throw error;
      return error;
    }
  }

  /** Calls start once their whole chunk was read: one that was cancelled in it, or is out of time by now, never starts. */
  #startTaken(): void {
    const failures: unknown[] = [];
    for (const call of this.#taken) {
      try {
        this.session.incoming.expire(performance.now());
        if (!call.isOver) this.owner.called(this, call);
      } catch (error) {
        failures.push(error);
      }
    }
    this.#taken.length = 0;
    // Nothing here may throw. If something does all the same, the calls behind it do not pay for it.
    if (failures.length > 0) throw failures[0];
  }

  #speak(dialect: Dialect): Dialect {
    this.#dialect = dialect;
    this.#writer.open(dialect);
    return dialect;
  }

  #detect(chunk: Buffer): Dialect {
    const dialect = detectDialect(chunk[0] ?? 0, this.settings.maxFrameBytes);
    if (dialect === undefined) {
      throw errorOf('UNKNOWN_DIALECT', `No dialect that is served here begins with the byte ${chunk[0]}.`);
    }
    return dialect;
  }

  #readEnd(): void {
    if (this.#isOver) return;
    const cut = this.#cutFrame();
    const lost = errorOf('CONNECTION_LOST', 'The peer closed the connection.', cut);
    const hasCalls = this.session.outgoing.size + this.session.incoming.size > 0;
    if (cut !== undefined || hasCalls) this.#fail(cut ?? lost, lost);
    else this.#finish(lost);
  }

  /** The error of a frame that the end of the input cut. */
  #cutFrame(): UdsError | undefined {
    try {
      this.#dialect?.end();
      return undefined;
    } catch (error) {
      return error as UdsError;
    }
  }

  #drained(): void {
    if (this.#isOver) return;
    if (this.socket.isPaused()) this.socket.resume();
    this.session.incoming.resumeStreams();
    this.owner.freed(this);
  }

  /** The connection can't go on: the owner is told of `error`, those who wait for an answer of `told`. */
  #fail(error: UdsError, told = error): void {
    if (this.#isOver) return;
    this.#error = error;
    this.#end(told);
    this.socket.destroySoon();
    this.#limitLinger();
  }

  #endIfFinished(): void {
    if (this.session.isFinished) this.#finish(errorOf('CONNECTION_LOST', 'The connection has ended.'));
  }

  /**
   * Ends in good order: says the end of our input and reads on to the peer's, dropping it. A socket that is destroyed
   * while the peer still writes would make the system throw away what the peer has not read yet, such as events.
   */
  #finish(error: UdsError): void {
    if (this.#isOver) return;
    this.#end(error);
    this.socket.end();
    this.socket.resume();
    this.#limitLinger();
  }

  /** Ends the session; what was packed goes to the socket. */
  #end(error: UdsError): void {
    this.flush();
    this.#isOver = true;
    this.#clearHelloTimer();
    this.#deadlineTimer.disarm();
    this.session.close(error);
  }

  /** The peer may take its last bytes, or say its end, for so long. */
  #limitLinger(): void {
    const timer = setTimeout(() => this.socket.destroy(), this.settings.closeTimeoutMs).unref();
    this.socket.once('close', () => clearTimeout(timer));
  }

  #socketClosed(): void {
    if (!this.#isOver) this.#end(errorOf('CONNECTION_LOST', 'The connection was closed.'));
    const lost =
      this.#error ?? errorOf('CONNECTION_LOST', 'The connection was closed before the event was written.');
    this.#writer.lose(lost);
    this.owner.closed(this, this.#error);
  }

  #armHelloTimer(): void {
    this.#helloTimer ??= setTimeout(() => {
      const { helloTimeoutMs } = this.settings;
      this.#fail(
        errorOf(
          'HELLO_TIMEOUT',
          `The peer's hello took longer than ${helloTimeoutMs} ms (option helloTimeoutMs).`,
        ),
      );
    }, this.settings.helloTimeoutMs).unref();
  }

  #clearHelloTimer(): void {
    clearTimeout(this.#helloTimer);
    this.#helloTimer = undefined;
  }

  #flushed(): void {
    this.#watchDeadlines();
    // A client never stops reading: two ends that both wait for the other to read would wait for ever.
    if (this.settings.role === 'server' && this.isCongested) this.socket.pause();
  }

  #watchDeadlines(): void {
    if (!this.#isOver) this.#deadlineTimer.arm(this.session.nextDeadlineMs);
  }
}
