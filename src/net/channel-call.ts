import type { CallRequest, Caller, OutgoingCall } from '../protocol/call.js';
import type { UdsError } from '../protocol/errors.js';
import { deadlineExceeded } from '../protocol/outgoing-calls.js';
import { EncodedPayload, PayloadKind, payloadKindOf } from '../protocol/payload-codec.js';
import type { Connection } from './connection.js';

/** Where a call waits before it belongs to a connection, and where an event waits until the kernel has it. */
export interface WaitingRoom {
  /** Takes a call out of the queue. */
  leave(call: ChannelCall): void;
  /** Takes a request back whose connection is gone, and of which nothing has left. */
  comeBack(call: ChannelCall): void;
  /** An event was packed. */
  startWriting(event: ChannelCall): void;
  /** An event was written, or never will be. Gives false where its time was up before. */
  endWriting(event: ChannelCall): boolean;
}

/**
 * A call on its way: it waits in the queue until a connection can take it, then belongs to that connection's session. It comes
 * back where the connection is lost before anything of it has left.
 */
export class ChannelCall implements Caller {
  /** Since when it waits for a server: on the clock of `performance.now`. */
  waitsSinceMs = 0;
  #connection: Connection | undefined;
  #call: OutgoingCall | undefined;

  constructor(
    private readonly request: CallRequest,
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
      this.#request(connection, nowMs);
    } else {
      this.room.startWriting(this);
      try {
        connection.emit(this.request, nowMs, (error) => this.#endWriting(error));
      } catch (error) {
        this.#endWriting(error as UdsError);
      }
    }
  }

  /** What the caller changes in the payload from now on changes nothing. @throws UsageError UNSERIALIZABLE_PAYLOAD */
  encodePayload(): void {
    const { payload } = this.request;
    if (payloadKindOf(payload) === PayloadKind.JSON && !EncodedPayload.is(payload))
      this.request.payload = new EncodedPayload(payload);
  }

  next(value: unknown, isEnveloped: boolean, wireBytes: number): void {
    this.caller?.next(value, isEnveloped, wireBytes);
  }

  end(value: unknown, isEnveloped: boolean): void {
    this.caller?.end(value, isEnveloped);
  }

  /** An event fails with an error of the transport alone. */
  fail(error: unknown, isEnveloped = false): void {
    if (this.caller === undefined) this.written(error as UdsError);
    else this.caller.fail(error, isEnveloped);
  }

  unsent(): void {
    this.#connection = undefined;
    this.#call = undefined;
    this.room.comeBack(this);
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

  #request(connection: Connection, nowMs: number): void {
    try {
      // It may come back, and must be the same then.
      this.encodePayload();
    } catch (error) {
      this.fail(error);
      return;
    }
    this.#connection = connection;
    this.#call = connection.session.outgoing.request(this.request, this, nowMs);
  }

  #endWriting(error: UdsError | undefined): void {
    if (this.room.endWriting(this)) this.written(error);
  }
}
