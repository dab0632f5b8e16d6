import type { UdsError } from './errors.js';
import { MAX_U32 } from './frame.js';
import { Message } from './message.js';
import type { Metadata } from './payload-codec.js';

/**
 * What a call takes in memory while it runs, beside what came for it: its objects, Nest's and their promises. Measured with an
 * empty payload and a handler that waits for a timer, on Node 20: 2.8 KiB a request, 4.6 an event.
 */
export const REQUEST_COST_BYTES = 3 * 1024;
export const EVENT_COST_BYTES = 5 * 1024;
/**
 * So many times its JSON is what an object or an array counts as. Small numbers take 4 times as much, empty objects and arrays 13
 * to 30 times, and what people send is mostly text, which takes about as much as it is long.
 */
export const JSON_FACTOR = 8;

/** What a caller asks for; the id is given when it is written. */
export interface CallRequest {
  readonly pattern: string;
  /** A value, or an EncodedPayload: whoever owns the request may put that in the value's place. */
  payload: unknown;
  readonly metadata: Metadata | undefined;
  readonly isEnveloped: boolean;
  /** When the first answer must have come, on the clock whose readings the session is given; Infinity for no limit. */
  readonly deadlineMs: number;
}

/** Who waits for the answers of one call. Exactly one of `end`, `fail` and `unsent` is called, once, as the last. */
export interface Caller {
  /** A value, more may come. It cost `wireBytes`: give them to `consume` once the value was taken. */
  next(value: unknown, isEnveloped: boolean, wireBytes: number): void;
  /** The end, with the one value of a plain call, or with undefined. */
  end(value: unknown, isEnveloped: boolean): void;
  /** A handler's own error, verbatim, or a UdsError. */
  fail(error: unknown, isEnveloped: boolean): void;
  /** The connection is gone, and no byte of the request has left this process. Who has no such method is told by `fail`. */
  unsent?(error: UdsError): void;
}

/** A call that this end made. Only OutgoingCalls changes it. */
export class OutgoingCall {
  isOver = false;
  isAnswered = false;
  /** Bytes of NEXT frames that the reader has taken and that were not yet granted again. */
  consumedBytes = 0;

  constructor(
    readonly id: number,
    readonly caller: Caller,
    readonly deadlineMs: number,
  ) {}
}

/**
 * A call that the other end made: a request, or an event (whose id is 0). Only IncomingCalls changes it, but for the
 * two callbacks, which whoever runs the call sets.
 */
export class IncomingCall {
  readonly pattern: string;
  /** The id as the peer spells it, where its dialect has ids of its own. */
  readonly peerId: unknown;
  readonly metadata: Metadata | undefined;
  readonly payload: unknown;
  readonly isEnveloped: boolean;
  readonly deadlineMs: number;
  /** What it counts as in memory while it runs, with what a stream keeps for its reader. */
  heldBytes: number;
  isOver = false;
  isAnswered = false;
  /** How much of the application is at work for it, the end of the call or not: its deserializer, its handler, a stream. */
  workers = 0;
  /** Bytes of NEXT that the caller still takes; one frame may take it below 0. */
  creditBytes: number;
  /** Called once if the call ends before it was answered in full: cancelled, out of time, the peer gone. */
  onCancel: ((reason: UdsError) => void) | undefined = undefined;
  /** Called when the next value of a stream may be written again: credit came, or what waited was written. */
  onCredit: (() => void) | undefined = undefined;

  constructor(
    readonly id: number,
    message: Message,
    nowMs: number,
  ) {
    this.peerId = message.peerId;
    this.pattern = message.pattern;
    this.metadata = message.metadata;
    this.payload = message.payload;
    this.isEnveloped = message.isEnveloped;
    this.deadlineMs = message.timeoutMs === 0 ? Infinity : nowMs + message.timeoutMs;
    this.creditBytes = message.credit;
    const cost = id === 0 ? EVENT_COST_BYTES : REQUEST_COST_BYTES;
    this.heldBytes = cost + message.wireBytes * (isBuilt(message.payload) ? JSON_FACTOR : 1);
  }

  get isEvent(): boolean {
    return this.id === 0;
  }
}

/** Whether a payload is a value that JSON was made into: it takes more than it came in. */
const isBuilt = (payload: unknown): boolean =>
  typeof payload === 'object' && payload !== null && !(payload instanceof Uint8Array);

/** The id that follows another: one more, from 2^32-1 on to 1, past those in use. */
export function idAfter(id: number, inUse: { has(id: number): boolean }): number {
  let next = id;
  do next = next >= MAX_U32 ? 1 : next + 1;
  while (inUse.has(next));
  return next;
}

/** Whether an id was given after another one: in the order of ids modulo 2^32 (RFC 1982). */
export function isAfter(id: number, other: number): boolean {
  return ((id - other) | 0) > 0;
}

/** A message that answers a call, or ends it. */
export function answerOf(type: number, call: IncomingCall, payload: unknown, isEnveloped: boolean): Message {
  const message = new Message(type, call.id);
  message.payload = payload;
  message.isEnveloped = isEnveloped;
  message.peerId = call.peerId;
  return message;
}
