import { type Caller, type CallRequest, idAfter, isAfter, OutgoingCall } from './call.js';
import { CallTable } from './call-table.js';
import { errorFromWire, errorOf, type UdsError, type WireError } from './errors.js';
import { FrameType, MAX_U32 } from './frame.js';
import { FLOOR_EVENTS, FLOOR_IN_FLIGHT, type Hello } from './hello.js';
import { Message } from './message.js';
import type { SessionOwner, SessionSettings, SessionSink } from './session-owner.js';

/**
 * The calls that this end made on one connection. Two rules: a call is over exactly once; nothing is sent, and nobody
 * is told anything, for a call that is over.
 */
export class OutgoingCalls {
  /** When the next call runs out of time: never later than that, sometimes earlier. */
  nextDeadlineMs = Infinity;

  readonly #calls = new CallTable<OutgoingCall>();
  #lastId: number;
  /** Requests up to this one may have left. */
  #begunId: number;
  #maxInFlight = FLOOR_IN_FLIGHT;
  #eventCredit = FLOOR_EVENTS;

  constructor(
    private readonly settings: SessionSettings,
    private readonly sink: SessionSink,
    private readonly owner: SessionOwner,
  ) {
    this.#lastId = (settings.firstId ?? 1) - 1;
    this.#begunId = this.#lastId;
  }

  /** Of the request that was written last. */
  get lastId(): number {
    return this.#lastId;
  }

  /** The requests up to this one are on their way, or may be: they are never sent again. */
  begin(id: number): void {
    this.#begunId = id;
  }

  get size(): number {
    return this.#calls.size;
  }

  get hasRoom(): boolean {
    return this.#calls.size < this.#maxInFlight;
  }

  get hasEventCredit(): boolean {
    return this.#eventCredit > 0;
  }

  /** Learns what the peer grants; events sent before count against it. */
  open(peer: Pick<Hello, 'maxInFlight' | 'maxEvents'>): void {
    this.#maxInFlight = peer.maxInFlight;
    this.#eventCredit += peer.maxEvents - FLOOR_EVENTS;
  }

  /** Writes a request; or tells the caller why it can't be written, and gives undefined. Ask `hasRoom` first. */
  request(request: CallRequest, caller: Caller, nowMs: number): OutgoingCall | undefined {
    const id = idAfter(this.#lastId, this.#calls);
    this.#lastId = id;
    const message = messageOf(FrameType.REQUEST, id, request, nowMs);
    message.credit = this.settings.streamCreditBytes;
    const call = new OutgoingCall(id, caller, request.deadlineMs);
    // Before it is written: writing may flush at once, and what is flushed has its deadline watched.
    this.#calls.add(call);
    if (call.deadlineMs < this.nextDeadlineMs) this.nextDeadlineMs = call.deadlineMs;
    try {
      this.sink.write(message);
    } catch (error) {
      this.#end(call);
      caller.fail(error, false);
      return undefined;
    }
    return call;
  }

  /** Writes an event. Ask `hasEventCredit` first. @throws UsageError where it can't be written. */
  emit(request: CallRequest, nowMs: number): void {
    this.sink.write(messageOf(FrameType.EVENT, 0, request, nowMs));
    this.#eventCredit -= 1;
  }

  /** The caller no longer wants the answer: tells the peer, and nobody else. */
  cancel(call: OutgoingCall): void {
    if (!this.#end(call)) return;
    this.sink.write(new Message(FrameType.CANCEL, call.id));
    this.owner.freed();
  }

  /** Says that a value of a stream was taken; grants its credit again once half of the window is free. */
  consume(call: OutgoingCall, wireBytes: number): void {
    if (call.isOver) return;
    call.consumedBytes += wireBytes;
    if (call.consumedBytes * 2 < this.settings.streamCreditBytes) return;
    const message = new Message(FrameType.CREDIT, call.id);
    message.credit = call.consumedBytes;
    call.consumedBytes = 0;
    this.sink.write(message);
  }

  /** The peer gives back credit for events. */
  receiveEventCredit(amount: number): void {
    this.#eventCredit += amount;
    this.owner.freed();
  }

  /** RESPONSE, NEXT, COMPLETE or ERROR; ignored for a call that is over. */
  receive(message: Message): void {
    const call = this.#calls.get(message.id);
    if (call === undefined) return;
    if (message.fault !== undefined) {
      // What can't be read ends this call on both sides; a NEXT leaves the peer sending, so it is told.
      if (message.type === FrameType.NEXT) this.cancel(call);
      else this.#finish(call);
      call.caller.fail(message.fault, false);
    } else if (message.type === FrameType.NEXT) {
      call.isAnswered = true;
      call.caller.next(message.payload, message.isEnveloped, message.wireBytes);
    } else {
      // The call ends before its caller hears of it: a caller that cancels on its last value then cancels nothing.
      this.#finish(call);
      if (message.type !== FrameType.ERROR) call.caller.end(message.payload, message.isEnveloped);
      else call.caller.fail(errorIn(message), message.isEnveloped);
    }
  }

  /** Fails the calls that the peer says it never took. */
  refuseAfter(lastTakenId: number, error: UdsError): void {
    for (const call of this.#calls.values()) {
      if (isAfter(call.id, lastTakenId) && this.#end(call)) call.caller.fail(error, false);
    }
  }

  expire(nowMs: number): void {
    if (nowMs < this.nextDeadlineMs) return;
    this.nextDeadlineMs = Infinity;
    for (const call of this.#calls.values()) {
      if (call.isOver || call.isAnswered) continue;
      if (call.deadlineMs > nowMs) {
        this.nextDeadlineMs = Math.min(this.nextDeadlineMs, call.deadlineMs);
        continue;
      }
      this.cancel(call);
      call.caller.fail(deadlineExceeded(), false);
    }
  }

  close(error: UdsError): void {
    const unsent: OutgoingCall[] = [];
    for (const call of this.#calls.values()) {
      if (isAfter(call.id, this.#begunId)) unsent.push(call);
      else if (this.#end(call)) call.caller.fail(error, false);
    }
    // The last one first: who puts each before the others has them in their order again.
    for (const call of unsent.reverse()) if (this.#end(call)) tellUnsent(call, error);
  }

  #finish(call: OutgoingCall): void {
    if (this.#end(call)) this.owner.freed();
  }

  #end(call: OutgoingCall): boolean {
    if (call.isOver) return false;
    call.isOver = true;
    this.#calls.delete(call.id);
    return true;
  }
}

function tellUnsent({ caller }: OutgoingCall, error: UdsError): void {
  if (caller.unsent === undefined) caller.fail(error, false);
  else caller.unsent(error);
}

export function deadlineExceeded(): UdsError {
  return errorOf(
    'DEADLINE_EXCEEDED',
    'No answer came within the time limit of the call (its own, or the option requestTimeoutMs).',
  );
}

function messageOf(type: number, id: number, request: CallRequest, nowMs: number): Message {
  const message = new Message(type, id);
  message.pattern = request.pattern;
  message.payload = request.payload;
  message.metadata = request.metadata;
  message.isEnveloped = request.isEnveloped;
  // At least 1: 0 would mean that there is no limit.
  if (request.deadlineMs !== Infinity) {
    message.timeoutMs = Math.min(MAX_U32, Math.max(1, Math.ceil(request.deadlineMs - nowMs)));
  }
  return message;
}

const errorIn = (message: Message): unknown =>
  message.isTransportError ? errorFromWire(message.payload as WireError) : message.payload;
