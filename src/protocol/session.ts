import { errorFromWire, errorOf, type UdsError, type WireError } from './errors.js';
import { FrameType, MAX_U32 } from './frame.js';
import {
  chooseVersion,
  Feature,
  FLOOR_EVENTS,
  FLOOR_IN_FLIGHT,
  VERSION_FROM,
  VERSION_TO,
  type Hello,
} from './hello.js';
import { IncomingCalls } from './incoming-calls.js';
import { Message } from './message.js';
import { OutgoingCalls } from './outgoing-calls.js';
import type { SessionOwner, SessionSettings, SessionSink } from './session-owner.js';

/**
 * One connection's conversation, the same for both ends: hello, the calls either way, liveness, leaving. It has no
 * socket and no clock: messages come in through `receive`, go out through the sink, and the time is an argument.
 *
 *   (new) --hello--> (open) --GOAWAY, and nothing under way any more------> (finished)
 *      \________________\_______________ close ___________________________> (closed)
 */
export class Session {
  readonly outgoing: OutgoingCalls;
  readonly incoming: IncomingCalls;
  /** Who the other end said it is; undefined until its hello has come, and for ever in a dialect that has none. */
  peer: Hello | undefined;
  /** Whether calls may come. */
  hasBegun = false;
  /** The version of the protocol in force; 0 until the hellos are exchanged. */
  version = 0;

  #hasHello = true;
  #hasSaidGoAway = false;
  #hasHeardGoAway = false;
  #isClosed = false;

  constructor(
    private readonly settings: SessionSettings,
    private readonly sink: SessionSink,
    private readonly owner: SessionOwner,
  ) {
    this.outgoing = new OutgoingCalls(settings, sink, owner);
    this.incoming = new IncomingCalls(settings, sink, owner);
  }

  /** Whether this end may open calls here. */
  get isOpen(): boolean {
    return this.hasBegun && !this.#isClosed && !this.#hasSaidGoAway && !this.#hasHeardGoAway;
  }

  get canRequest(): boolean {
    return this.isOpen && this.outgoing.hasRoom;
  }

  get canEmit(): boolean {
    return this.isOpen && this.outgoing.hasEventCredit;
  }

  /** Calls in either direction that wait for an answer. */
  get underWay(): number {
    return this.outgoing.size + this.incoming.size;
  }

  /** Whether nothing is under way in either direction, events included. */
  get isIdle(): boolean {
    return this.underWay === 0 && this.incoming.eventsRunning === 0;
  }

  /** Whether the connection has done its work. A server waits for the client's word where it has one: only it calls. */
  get isFinished(): boolean {
    const heardEnough = this.#hasHeardGoAway || this.settings.role === 'client' || !this.#hasHello;
    return this.#hasSaidGoAway && heardEnough && this.isIdle;
  }

  get nextDeadlineMs(): number {
    return Math.min(this.outgoing.nextDeadlineMs, this.incoming.nextDeadlineMs);
  }

  /** A client's first word. */
  open(): void {
    this.#writeHello(FrameType.CLIENT_HELLO, 0);
  }

  /** In place of the hellos, in a dialect that has none: nobody is told limits. */
  openWithoutHello(): void {
    this.#hasHello = false;
    this.hasBegun = true;
    this.incoming.areLimitsTold = false;
    this.outgoing.open({ maxInFlight: MAX_U32, maxEvents: MAX_U32 });
    this.owner.opened(undefined);
  }

  ping(token: number): void {
    this.sink.write(new Message(FrameType.PING, token));
  }

  /** Of a client: whether the server understands that another one has taken its place. */
  get canTakeOver(): boolean {
    return this.isOpen && ((this.peer?.features ?? 0) & Feature.TAKEOVER) !== 0;
  }

  /** Says that another server has taken the place of this one. */
  takeOver(): void {
    if (this.canTakeOver) this.sink.write(new Message(FrameType.TAKEOVER, 0));
  }

  /** Says that this end opens nothing more here; what is under way goes on. */
  goAway(): void {
    if (this.#hasSaidGoAway || this.#isClosed || !this.hasBegun) return;
    this.#hasSaidGoAway = true;
    this.sink.write(new Message(FrameType.GOAWAY, 0));
  }

  /** The last word before the connection is cut: which request was the last one taken, and why. */
  goAwayFinally(reason: UdsError): void {
    if (this.#isClosed || !this.hasBegun) return;
    this.#hasSaidGoAway = true;
    const message = new Message(FrameType.GOAWAY, this.incoming.lastTakenId);
    message.isFinal = true;
    message.payload = reason.toWire();
    this.sink.write(message);
  }

  /**
   * Takes one message.
   *
   * @param nowMs a reading of the clock that deadlines are on; one reading serves all messages of a chunk.
   * @throws ProtocolError: close the connection, and then this session with that error.
   */
  receive(message: Message, nowMs: number): void {
    if (!this.hasBegun || message.hello !== undefined) {
      this.#receiveHello(message);
      return;
    }
    switch (message.type) {
      case FrameType.REQUEST:
        this.#refuseToServe();
        this.incoming.receiveRequest(message, nowMs);
        break;
      case FrameType.EVENT:
        this.#refuseToServe();
        this.incoming.receiveEvent(message, nowMs);
        break;
      case FrameType.CANCEL:
        this.incoming.receiveCancel(message);
        break;
      case FrameType.CREDIT:
        if (message.id === 0) this.outgoing.receiveEventCredit(message.credit);
        else this.incoming.receiveCredit(message.id, message.credit);
        break;
      case FrameType.PING:
        this.#pong(message);
        break;
      case FrameType.PONG:
        // Any byte is a sign of life: whoever asked has noticed.
        break;
      case FrameType.GOAWAY:
        this.#receiveGoAway(message);
        break;
      case FrameType.TAKEOVER:
        this.#refuseToServe();
        this.owner.takenOver();
        break;
      default:
        this.outgoing.receive(message);
    }
  }

  /** Ends the calls whose time is up. */
  expire(nowMs: number): void {
    this.outgoing.expire(nowMs);
    this.incoming.expire(nowMs);
  }

  /** The connection is gone: every call ends, those of this end with `error`. Events that were taken run to their end. */
  close(error: UdsError): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.outgoing.close(error);
    this.incoming.close(error);
  }

  #writeHello(type: number, chosen: number): void {
    const { name, pid, role, maxFrameBytes, maxInFlight, maxEvents } = this.settings;
    const serves = role === 'server';
    const message = new Message(type, 0);
    message.hello = {
      versionFrom: VERSION_FROM,
      versionTo: VERSION_TO,
      chosen,
      features: serves ? Feature.TAKEOVER : 0,
      maxFrameBytes,
      maxInFlight: serves ? maxInFlight : 0,
      maxEvents: serves ? maxEvents : 0,
      pid,
      name,
    };
    this.sink.write(message);
  }

  #pong({ id, peerId }: Message): void {
    const pong = new Message(FrameType.PONG, id);
    pong.peerId = peerId;
    this.sink.write(pong);
  }

  #receiveHello(message: Message): void {
    this.#refuseIfRefused(message);
    const expected = this.settings.role === 'server' ? FrameType.CLIENT_HELLO : FrameType.SERVER_HELLO;
    const { hello } = message;
    if (hello === undefined || message.type !== expected || this.hasBegun) {
      throw errorOf('BAD_HELLO', 'The peer must begin with its hello, and send it once.');
    }
    const chosen = this.settings.role === 'server' ? chooseVersion(hello) : hello.chosen;
    if (this.settings.role === 'server') this.#writeHello(FrameType.SERVER_HELLO, chosen);
    if (chosen < VERSION_FROM || chosen > VERSION_TO) {
      throw errorOf(
        'VERSION_MISMATCH',
        `The peer speaks versions ${hello.versionFrom} to ${hello.versionTo}, this end ${VERSION_FROM} to ${VERSION_TO}.`,
      );
    }
    const isUnderFloor = hello.maxInFlight < FLOOR_IN_FLIGHT || hello.maxEvents < FLOOR_EVENTS;
    if (this.settings.role === 'client' && isUnderFloor) {
      throw errorOf('BAD_HELLO', 'The server grants less than the floor of requests and events.');
    }
    this.peer = hello;
    this.hasBegun = true;
    this.version = chosen;
    if (this.settings.role === 'client') this.outgoing.open(hello);
    this.owner.opened(hello);
  }

  /** What a server writes in place of its hello where it does not serve this dialect. @throws ProtocolError UNKNOWN_DIALECT */
  #refuseIfRefused({ type, payload }: Message): void {
    if (this.settings.role === 'server' || type !== FrameType.GOAWAY || this.hasBegun) return;
    const reason = payload as WireError | undefined;
    if (reason?.code === 'UNKNOWN_DIALECT') throw errorOf('UNKNOWN_DIALECT', reason.message);
  }

  #receiveGoAway(message: Message): void {
    this.#hasHeardGoAway = true;
    if (message.isFinal) {
      const reason = message.payload as WireError | undefined;
      const text = reason?.message ?? 'The server closed before it took the call.';
      this.outgoing.refuseAfter(message.id, errorFromWire({ code: 'SERVER_CLOSING', message: text }));
    }
    this.owner.left();
  }

  #refuseToServe(): void {
    if (this.settings.role === 'client')
      throw errorOf('UNEXPECTED_FRAME', 'A server makes no calls in this version.');
  }
}
