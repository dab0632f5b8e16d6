import type { CallRequest, Caller, OutgoingCall } from '../protocol/call.js';
import type { UdsError } from '../protocol/errors.js';
import { deadlineExceeded } from '../protocol/outgoing-calls.js';
import { EncodedPayload, PayloadKind, payloadKindOf } from '../protocol/payload-codec.js';
import type { Connection } from './connection.js';

/** Where a call waits before it belongs to a connection, and where an event waits until the kernel has it. */
export interface WaitingRoom {
  /** Takes a call out of the queue. */
  leave(call: ChannelCall): void;
  /** An event was packed. */
  startWriting(event: ChannelCall): void;
  /** An event was written, or never will be. Gives false where its time was up before. */
  endWriting(event: ChannelCall): boolean;
}

/**
 * A call on its way: it waits in the queue until a connection can take it, then belongs to that connection's session.
 */
export class ChannelCall {
  /** Since when it waits for a server: on the clock of `performance.now`. */
  waitsSinceMs = 0;
  #connection: Connection | undefined;
  #call: OutgoingCall | undefined;

  constructor(
    private request: CallRequest,
    /** Who waits for the answers of a request; `undefined` marks an event. */
    private readonly caller: Caller | undefined,
    private readonly written: (error: UdsError | undefined) => void,
    private readonly room: WaitingRoom,
  ) {}

  get deadlineMs(): number {
    return this.request.deadlineMs;
  }

  canBeWrittenTo(connection: Connection): boolean {
    if (!connection.canWrite || connection.isCongested) return false;
    return this.caller === undefined ? connection.session.canEmit : connection.session.canRequest;
  }

  writeTo(connection: Connection): void {
    const nowMs = performance.now();
    if (nowMs >= this.request.deadlineMs) {
      this.fail(deadlineExceeded());
    } else if (this.caller !== undefined) {
      this.#connection = connection;
      this.#call = connection.session.outgoing.request(this.request, this.caller, nowMs);
    } else {
      this.room.startWriting(this);
      try {
        connection.emit(this.request, nowMs, (error) => this.#endWriting(error));
      } catch (error) {
        this.#endWriting(error as UdsError);
      }
    }
  }

  /** Before it waits: what the caller changes in the payload meanwhile changes nothing. @throws UsageError UNSERIALIZABLE_PAYLOAD */
  encodePayload(): void {
    const { payload } = this.request;
    if (payloadKindOf(payload) === PayloadKind.JSON)
      this.request = { ...this.request, payload: new EncodedPayload(payload) };
  }

  /** Ends a call that was not written. */
  fail(error: UdsError): void {
    if (this.caller === undefined) this.written(error);
    else this.caller.fail(error, false);
  }

  /** Nobody waits for the answer any more. */
  cancel(): void {
    if (this.#call !== undefined) this.#connection?.session.outgoing.cancel(this.#call);
    else this.room.leave(this);
  }

  /** A value of the answer's stream was taken. */
  consume(wireBytes: number): void {
    if (this.#call !== undefined) this.#connection?.session.outgoing.consume(this.#call, wireBytes);
  }

  #endWriting(error: UdsError | undefined): void {
    if (this.room.endWriting(this)) this.written(error);
  }
}
