import type { Buffer } from 'node:buffer';
import type { Socket } from 'node:net';
import type { CallRequest, IncomingCall } from '../protocol/call.js';
import type { DialectMenu } from '../protocol/dialects/detect.js';
import type { Dialect } from '../protocol/dialects/dialect.js';
import { errorOf, type UdsError } from '../protocol/errors.js';
import { FrameType } from '../protocol/frame.js';
import type { Message } from '../protocol/message.js';
import { Session } from '../protocol/session.js';
import { CallStarter } from './call-starter.js';
import { readFrom } from './client-socket.js';
import { connectionEnded, lostBecause, toldBare, whereHelloWasDue } from './connection-errors.js';
import type { ConnectionSettings, OwnerOf } from './connection-owner.js';
import { DeadlineTimer } from './deadline-timer.js';
import { FrameWriter, type Written } from './frame-writer.js';
import { Liveness } from './liveness.js';
import { ReadGate, type SharedReading } from './read-gate.js';
import { endAndDestroy, endAndReadOn, hasReadMore } from './socket-end.js';
import { Speech } from './speech.js';

export type ConnectionOwner = OwnerOf<Connection>;

/** One socket with its dialect and session: bytes come in, messages go out through `write`, those of one tick together. */
export class Connection {
  readonly session: Session;
  readonly #speech: Speech;
  readonly #writer: FrameWriter;
  readonly #starter: CallStarter;
  /** Of a server: a client never stops reading. */
  readonly #gate: ReadGate | undefined;
  #isOver = false;
  #error: UdsError | undefined;
  readonly #liveness: Liveness;
  readonly #deadlineTimer = new DeadlineTimer(() => {
    this.session.expire(performance.now());
    this.#watchDeadlines();
  });

  /**
   * @param speech what a client speaks; what a server may speak, which the first byte tells.
   * @param shared of a server: what all of its connections share.
   */
  constructor(
    readonly socket: Socket,
    private readonly settings: ConnectionSettings,
    private readonly owner: ConnectionOwner,
    speech: Dialect | DialectMenu,
    shared?: SharedReading,
  ) {
    this.#liveness = new Liveness(socket, settings, {
      ping: () => {
        this.session.ping(0);
        this.flush();
      },
      isAwaited: () => this.session.incoming.size > 0,
      isLate: (error) => this.#fail(error),
      died: (error) => this.#drop(error),
    });
    this.session = new Session(settings, this, {
      opened: () => {
        this.#liveness.begin(this.#speech.dialect?.hasHello === true);
        owner.opened(this);
      },
      called: (call) => this.#starter.add(call),
      refused: (error) => owner.refused(this, error),
      left: () => {
        owner.left(this);
        this.#endIfFinished();
      },
      freed: () => this.#freed(),
      takenOver: () => owner.takenOver(this),
    });
    this.#writer = new FrameWriter(socket, this.session, () => {
      this.#watchDeadlines();
      this.#gate?.narrow();
    });
    this.#starter = new CallStarter((call) => this.#start(call));
    this.#speech = new Speech(speech, {
      chosen: (dialect) => this.#writer.open(dialect),
      begunWithoutHello: () => this.session.openWithoutHello(),
    });
    if (shared !== undefined) {
      this.#gate = new ReadGate(socket, settings, shared, {
        speech: this.#speech,
        calls: this.session.incoming,
        starter: this.#starter,
        read: (piece) => this.#read(piece),
        rested: () => this.#endIfFinished(),
        tooSlow: (error) => this.#drop(error),
      });
    }
    socket.on('error', (error) => this.#fail(lostBecause(error)));
    readFrom(socket, (chunk) => (this.#gate ? this.#gate.read(chunk) : this.#read(chunk)));
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

  /** Whether packets of an application's own serializer travel here. */
  get hasPackets(): boolean {
    return this.#speech.dialect?.hasPackets === true;
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
    if (this.#isOver) return 0;
    if (message.type === FrameType.ERROR && this.#speech.dialect?.isBare === true) {
      // What the transport itself refuses is in the log already.
      if (message.isTransportError) this.#finish(toldBare(message));
      else this.#fail(toldBare(message));
      return 0;
    }
    return this.#writer.write(message);
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

  /** A client's first word; in a dialect without a hello there is none. */
  open(): void {
    if (this.#speech.dialect?.hasHello === true) this.session.open();
    else this.session.openWithoutHello();
    this.flush();
  }

  /** Says that this end opens nothing more here; the connection ends by itself with its last call. */
  leave(): void {
    this.session.goAway();
    this.#endIfFinished();
  }

  /** Ends the connection now. What the system has not taken is dropped; what is in flight fails with `error`. */
  close(error: UdsError): void {
    if (!this.#isOver) {
      this.#speech.sayLastWord(error);
      this.#end(error);
    }
    this.socket.destroy();
  }

  #read(chunk: Buffer): void {
    if (this.#isOver) return;
    const failure = this.#speech.read(chunk, this.#receiver());
    // What came before a broken frame is sound.
    this.#startTaken();
    if (failure !== undefined) {
      this.#fail(this.session.hasBegun ? failure : whereHelloWasDue(failure));
      return;
    }
    this.#watchDeadlines();
  }

  /** Takes what a chunk or the end of the input gives. */
  #receiver(): (message: Message) => void {
    const nowMs = performance.now();
    this.#liveness.heard(nowMs);
    return (message) => {
      this.#liveness.received();
      if (!this.#isOver) this.session.receive(message, nowMs);
    };
  }

  #startTaken(): void {
    this.#starter.start(this.#speech.isBare);
    if (this.#isOver) return;
    this.#gate?.narrow();
    if (!this.isOver) this.#liveness.rested(this.#speech.isMidFrame);
  }

  /** Calls whose time is up by now never start. */
  #start(call: IncomingCall): void {
    this.session.incoming.expire(performance.now());
    if (!call.isOver) this.owner.called(this, call);
  }

  #readEnd(): void {
    if (this.#isOver) return;
    const { dialect } = this.#speech;
    const cut = this.#speech.readEnd(this.#receiver());
    if (this.#gate !== undefined && dialect?.hasHello === false) {
      // No more calls will come: what has come is answered.
      this.#error = cut;
      this.#startTaken();
      this.leave();
      if (!this.isOver) this.#liveness.ended();
      return;
    }
    const lost = errorOf('CONNECTION_LOST', 'The peer closed the connection.', cut);
    const { outgoing, incoming } = this.session;
    if (cut !== undefined || outgoing.size + incoming.size > 0) this.#fail(cut ?? lost, lost);
    else this.#finish(lost);
  }

  #drained(): void {
    if (this.#isOver) return;
    this.#gate?.drained();
    this.session.incoming.resumeStreams();
    this.owner.freed(this);
    // It may have been finished but for what it was not read for.
    this.#endIfFinished();
  }

  /** A call has ended, or credit came. */
  #freed(): void {
    this.owner.freed(this);
    if (this.#gate !== undefined && this.#speech.isBare && !this.#isOver) this.#starter.start(true);
    this.#gate?.widen();
    this.#endIfFinished();
  }

  /** The connection can't go on: the owner is told of `error`, those who wait for an answer of `told`. */
  #fail(error: UdsError, told = error): void {
    if (this.#isOver) return;
    this.#error = error;
    const isTold = this.#speech.sayLastWord(error);
    this.#end(told);
    (isTold ? endAndReadOn : endAndDestroy)(this.socket, this.settings.closeTimeoutMs);
  }

  #endIfFinished(): void {
    if (!this.session.isFinished) return;
    const mayHaveCalled = this.#speech.dialect?.hasHello === false && !this.socket.readableEnded;
    if (this.#gate !== undefined && mayHaveCalled) void this.#endOnceRead();
    else this.#finish(connectionEnded());
  }

  /** A peer that can't be told to send no more: what it has sent already is read first. */
  async #endOnceRead(): Promise<void> {
    // It is read again once it has taken what waits for it.
    if (this.socket.isPaused()) return;
    if (await hasReadMore(this.socket)) this.#endIfFinished();
    else if (this.session.isFinished) this.#finish(connectionEnded());
  }

  /** Ends in good order, but for an end of the input that came too early. */
  #finish(error: UdsError): void {
    if (this.#isOver) return;
    if (this.#error !== undefined) this.#speech.sayLastWord(this.#error);
    this.#end(error);
    endAndReadOn(this.socket, this.settings.closeTimeoutMs);
  }

  /** Ends the session; what was packed goes to the socket. */
  #end(error: UdsError): void {
    this.flush();
    this.#isOver = true;
    this.#liveness.stop();
    this.#deadlineTimer.disarm();
    this.session.close(error);
    this.#gate?.close();
  }

  #socketClosed(): void {
    if (!this.#isOver) this.#end(errorOf('CONNECTION_LOST', 'The connection was closed.'));
    this.#gate?.widen();
    this.#writer.lose(this.#error ?? connectionEnded());
    this.owner.closed(this, this.#error);
  }

  /** The connection can't go on, and what waits to be written is not waited for. */
  #drop(error: UdsError): void {
    if (this.#isOver || this.#error !== undefined) return;
    this.#error = error;
    this.close(error);
  }

  #watchDeadlines(): void {
    if (!this.#isOver) this.#deadlineTimer.arm(this.session.nextDeadlineMs);
  }
}
