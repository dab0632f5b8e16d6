import { answerOf, idAfter, IncomingCall } from './call.js';
import { CallTable } from './call-table.js';
import {
  idInUse,
  metadataRefusal,
  noRoomLeft,
  tooManyAbandoned,
  tooManyEvents,
  tooManyInFlight,
  unwritable,
} from './call-errors.js';
import { errorOf, type UdsError } from './errors.js';
import { EventWindow } from './event-window.js';
import { FrameType, MAX_U32 } from './frame.js';
import { Message } from './message.js';
import type { SessionOwner, SessionSettings, SessionSink } from './session-owner.js';

/**
 * So many times `maxInFlight` requests may be over while somebody works for them. Who cancels now and then and asks again is
 * refused nothing: a chunk may bring many cancels and as many requests before one of the handlers can look at its signal. Who
 * does only that ("rapid reset", CVE-2023-44487) has no more run for him. The HTTP/2 server of Go queues as many
 * (golang.org/x/net/http2, v0.17.0).
 */
const ABANDONED_FACTOR = 4;

/**
 * The calls that the peer made on one connection. Two rules: a call is over exactly once; nothing is sent for a call
 * that is over. The answering methods give the error that went out in place of an answer that can't be written.
 */
export class IncomingCalls {
  /** When the next call runs out of time: never later than that, sometimes earlier. */
  nextDeadlineMs = Infinity;
  lastTakenId = 0;
  /** Requests answered and events run to their end. */
  served = 0;
  /** What the calls under way count as, and those that are over while somebody works for them. */
  heldBytes = 0;
  /** Whether there is memory for more requests; else they are refused. */
  hasRoom = true;
  /** Whether there is memory for what a stream wants to keep; whoever looks after memory sets it. */
  mayKeep: () => boolean = () => true;
  /** Whether the peer was told the limits; one that was not is held back by reading no more, and refused nothing. */
  areLimitsTold = true;

  readonly #calls = new CallTable<IncomingCall>();
  /** The same by the ids that the peer chose, in a dialect where it does. */
  readonly #byPeerId = new Map<unknown, IncomingCall>();
  readonly #events: EventWindow;
  /** Requests that are over while somebody works for them: a cancel or a deadline stops only who looks at it. */
  #abandoned = 0;
  #isClosed = false;

  constructor(
    private readonly settings: SessionSettings,
    private readonly sink: SessionSink,
    private readonly owner: SessionOwner,
  ) {
    this.#events = new EventWindow(settings.maxEvents);
  }

  get size(): number {
    return this.#calls.size;
  }

  get eventsRunning(): number {
    return this.#events.running;
  }

  /** Whether as much runs as the limits allow. */
  get isFull(): boolean {
    return this.#hasTooManyRequests || this.eventsRunning >= this.settings.maxEvents;
  }

  /** Whether nothing here goes on before credit comes. */
  get waitForCredit(): boolean {
    if (this.#calls.size === 0 || this.#abandoned + this.eventsRunning > 0) return false;
    for (const { onCredit, creditBytes } of this.#calls.values())
      if (onCredit === undefined || creditBytes > 0) return false;
    return true;
  }

  get #hasTooManyRequests(): boolean {
    const { maxInFlight } = this.settings;
    return this.#calls.size >= maxInFlight || this.#abandoned >= ABANDONED_FACTOR * maxInFlight;
  }

  /** @throws ProtocolError ID_IN_USE */
  receiveRequest(message: Message, nowMs: number): void {
    const id = this.#idOf(message);
    this.lastTakenId = id;
    const call = new IncomingCall(id, message, nowMs);
    const refusal = this.#refusalOf(message);
    if (refusal !== undefined) {
      this.#writeError(call, refusal);
      this.owner.refused(refusal);
      return;
    }
    this.#calls.add(call);
    this.heldBytes += call.heldBytes;
    if (call.peerId != null) this.#byPeerId.set(call.peerId, call);
    if (call.deadlineMs < this.nextDeadlineMs) this.nextDeadlineMs = call.deadlineMs;
    this.owner.called(call);
  }

  /** @throws ProtocolError TOO_MANY_EVENTS */
  receiveEvent(message: Message, nowMs: number): void {
    const { maxEvents } = this.settings;
    if (this.areLimitsTold && this.#events.isSpent) throw tooManyEvents(maxEvents);
    this.#events.take();
    const call = new IncomingCall(0, message, nowMs);
    const refusal = message.fault ?? metadataRefusal(message, this.settings);
    this.heldBytes += call.heldBytes;
    if (refusal === undefined) {
      this.owner.called(call);
    } else {
      this.finish(call);
      this.owner.refused(refusal);
    }
    // This may have been the last credit, while others have ended already.
    this.#returnEventCreditIfDue();
  }

  receiveCancel({ id, peerId }: Message): void {
    const call = peerId === undefined ? this.#calls.get(id) : this.#byPeerId.get(peerId);
    if (call !== undefined) this.#cancel(call, errorOf('CALL_ABORTED', 'The caller cancelled the call.'));
  }

  receiveCredit(id: number, amount: number): void {
    const call = this.#calls.get(id);
    if (call === undefined) return;
    call.creditBytes = Math.min(MAX_U32, call.creditBytes + amount);
    if (this.canStream(call)) call.onCredit?.();
  }

  /** Whether the next value of a stream may be written now: the caller takes it, and so does the socket. */
  canStream(call: IncomingCall): boolean {
    return call.creditBytes > 0 && !this.sink.isCongested;
  }

  /** What waited to be written has left: streams may go on. */
  resumeStreams(): void {
    for (const call of this.#calls.values()) if (!call.isOver && this.canStream(call)) call.onCredit?.();
  }

  /** The one value of a call, and its end. */
  respond(call: IncomingCall, value: unknown, isEnveloped: boolean): UdsError | undefined {
    return this.#answerLast(FrameType.RESPONSE, call, value, isEnveloped);
  }

  /** One value of many; `call.creditBytes` then says whether the next may be sent. */
  next(call: IncomingCall, value: unknown, isEnveloped: boolean): UdsError | undefined {
    if (call.isOver || call.isEvent) return undefined;
    call.isAnswered = true;
    try {
      call.creditBytes -= this.sink.write(answerOf(FrameType.NEXT, call, value, isEnveloped));
      return undefined;
    } catch (error) {
      const refusal = unwritable(error);
      this.refuse(call, refusal);
      return refusal;
    }
  }

  /** The end of a stream; a packet of the application's own serializer may travel with it. */
  complete(call: IncomingCall, packet: unknown, isEnveloped: boolean): UdsError | undefined {
    return this.#answerLast(FrameType.COMPLETE, call, packet, isEnveloped);
  }

  /** What the handler failed with, verbatim. */
  fail(call: IncomingCall, error: unknown, isEnveloped: boolean): UdsError | undefined {
    return this.#answerLast(FrameType.ERROR, call, error, isEnveloped);
  }

  /** An error of the transport; what still produces answers is told as if the call had been cancelled. */
  refuse(call: IncomingCall, error: UdsError): void {
    if (call.isEvent || !this.#end(call)) return;
    this.#writeError(call, error);
    this.owner.freed();
    call.onCancel?.(error);
  }

  /** Somebody works for a call from now on, whether or not it ends meanwhile. */
  beginWork(call: IncomingCall): void {
    call.workers += 1;
  }

  /** The reverse, once for each. */
  endWork(call: IncomingCall): void {
    call.workers -= 1;
    if (call.workers > 0 || !call.isOver || call.isEvent) return;
    this.#abandoned -= 1;
    this.heldBytes -= call.heldBytes;
    this.owner.freed();
  }

  /** What a stream keeps for its reader, or less than nothing of it any more, while its call is not over. */
  keep(call: IncomingCall, bytes: number): void {
    call.heldBytes += bytes;
    this.heldBytes += bytes;
  }

  /** An event ended. */
  finish(event: IncomingCall): void {
    if (event.isOver) return;
    event.isOver = true;
    this.heldBytes -= event.heldBytes;
    this.served += 1;
    this.#events.end();
    this.#returnEventCreditIfDue();
    this.owner.freed();
  }

  expire(nowMs: number): void {
    if (nowMs < this.nextDeadlineMs) return;
    this.nextDeadlineMs = Infinity;
    for (const call of this.#calls.values()) {
      if (call.isOver || call.isAnswered) continue;
      if (call.deadlineMs > nowMs) this.nextDeadlineMs = Math.min(this.nextDeadlineMs, call.deadlineMs);
      else this.#expireCall(call);
    }
  }

  close(error: UdsError): void {
    this.#isClosed = true;
    for (const call of this.#calls.values()) this.#cancel(call, error);
  }

  /** @throws ProtocolError ID_IN_USE */
  #idOf({ id, peerId }: Message): number {
    const isInUse = peerId === undefined ? this.#calls.has(id) : this.#byPeerId.has(peerId);
    if (isInUse) throw idInUse(id);
    return peerId === undefined ? id : idAfter(this.lastTakenId, this.#calls);
  }

  /** A program has noticed by itself that the time is up; who chose an id by hand is told. */
  #expireCall(call: IncomingCall): void {
    const error = errorOf('DEADLINE_EXCEEDED', 'The time of the call is up.');
    if (call.peerId === undefined) this.#cancel(call, error);
    else this.refuse(call, error);
  }

  /** Why a request is refused before anything runs, if it is. */
  #refusalOf(message: Message): UdsError | undefined {
    const { maxInFlight } = this.settings;
    if (this.areLimitsTold && this.#hasTooManyRequests) {
      if (this.#calls.size >= maxInFlight) return tooManyInFlight(maxInFlight);
      return tooManyAbandoned(maxInFlight, ABANDONED_FACTOR);
    }
    if (!this.hasRoom) return noRoomLeft();
    return message.fault ?? metadataRefusal(message, this.settings);
  }

  #answerLast(type: number, call: IncomingCall, value: unknown, isEnveloped: boolean): UdsError | undefined {
    if (call.isEvent || !this.#end(call)) return undefined;
    this.served += 1;
    let refusal: UdsError | undefined;
    try {
      this.sink.write(answerOf(type, call, value, isEnveloped));
    } catch (error) {
      refusal = unwritable(error);
      this.#writeError(call, refusal);
    }
    // After the write: a connection that is being left ends with its last call, and takes no answer then.
    this.owner.freed();
    return refusal;
  }

  #writeError(call: IncomingCall, error: UdsError): void {
    const message = answerOf(FrameType.ERROR, call, error.toWire(), false);
    message.isTransportError = true;
    this.sink.write(message);
  }

  #returnEventCreditIfDue(): void {
    const credit = this.#isClosed ? 0 : this.#events.giveBack();
    if (credit === 0) return;
    const message = new Message(FrameType.CREDIT, 0);
    message.credit = credit;
    this.sink.write(message);
  }

  #cancel(call: IncomingCall, reason: UdsError): void {
    if (!this.#end(call)) return;
    this.owner.freed();
    call.onCancel?.(reason);
  }

  #end(call: IncomingCall): boolean {
    if (call.isOver) return false;
    call.isOver = true;
    this.#calls.delete(call.id);
    if (call.workers > 0) this.#abandoned += 1;
    else this.heldBytes -= call.heldBytes;
    if (call.peerId !== undefined) this.#byPeerId.delete(call.peerId);
    return true;
  }
}
