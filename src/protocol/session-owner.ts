import type { IncomingCall } from './call.js';
import type { UdsError } from './errors.js';
import type { Hello } from './hello.js';
import type { Message } from './message.js';

/** Where a session writes. `write` gives the frame's bytes, and throws a UsageError for what can't be written. */
export interface SessionSink {
  write(message: Message): number;
  /** Whether so much waits to be written that a stream should hold back. */
  readonly isCongested: boolean;
}

/** Who is told what happens on a session. Every callback comes from within a call of one of the session's methods. */
export interface SessionOwner {
  /** Calls may be made: the peer's hello has come, or the dialect has none. */
  opened(peer: Hello | undefined): void;
  /** A request or an event was taken and waits to be run. */
  called(call: IncomingCall): void;
  /** A request was refused, or an event dropped, before anything ran. */
  refused(error: UdsError): void;
  /** The peer opens nothing more on this connection. */
  left(): void;
  /** A call ended or credit came: something that waits may go on. */
  freed(): void;
  /** Of a server: a client says that another server has its place. */
  takenOver(): void;
}

/** What this end allows and tells the peer of itself. */
export interface SessionSettings {
  readonly role: 'client' | 'server';
  readonly name: string;
  readonly pid: number;
  readonly maxFrameBytes: number;
  /** Requests of the peer that may be in flight. */
  readonly maxInFlight: number;
  /** Events of the peer that may be under way. */
  readonly maxEvents: number;
  readonly maxMetadataBytes: number;
  /** Bytes of NEXT that a call's answers may be ahead of their reader. */
  readonly streamCreditBytes: number;
  /** The first id to give; 1 but in the test of what happens at 2^32. */
  readonly firstId?: number;
}
