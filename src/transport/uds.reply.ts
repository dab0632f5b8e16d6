import type { Serializer, WritePacket } from '@nestjs/microservices';
import type { IncomingCall } from '../protocol/call.js';
import type { UdsError } from '../protocol/errors.js';
import type { IncomingCalls } from '../protocol/incoming-calls.js';
import { EncodedPayload } from '../protocol/payload-codec.js';

/** What replying needs from the server, the same for every call. */
export interface ReplySettings {
  readonly maxStreamBufferBytes: number;
  /** Set where the application has its own: every answer then travels as a packet of its making. */
  readonly serializer: Serializer | undefined;
  /** One line of log for an answer that could not be given. */
  troubled(error: UdsError): void;
  /** What a caller is told of an error that no exception filter saw. */
  mapError(error: unknown): unknown;
}

/** Writes the answers of one request, as values or as packets of the application's serializer. */
export class Reply {
  #ended: (() => void) | undefined;

  constructor(
    readonly call: IncomingCall,
    readonly settings: ReplySettings,
    private readonly calls: IncomingCalls,
  ) {}

  /** @param ended runs once, when the call is over on whatever path. */
  whenEnded(ended: () => void): void {
    this.#ended = ended;
  }

  /** A method, since the answer changes while a stream is awaited. */
  isOver(): boolean {
    return this.call.isOver;
  }

  /** The one value, and the end. */
  respond(value: unknown): void {
    const { calls, call } = this;
    if (this.settings.serializer === undefined) this.#report(calls.respond(call, value, false));
    else this.#report(calls.respond(call, this.#packet({ response: value, isDisposed: true }), true));
    this.end();
  }

  /** One value of many, encoded already where it had to wait. */
  next(value: unknown): void {
    const isReady = this.settings.serializer === undefined || value instanceof EncodedPayload;
    const payload = isReady ? value : this.#packet({ response: value });
    this.#report(this.calls.next(this.call, payload, this.settings.serializer !== undefined));
  }

  complete(): void {
    const { calls, call } = this;
    if (this.settings.serializer === undefined) this.#report(calls.complete(call, undefined, false));
    else this.#report(calls.complete(call, this.#packet({ isDisposed: true }), true));
    this.end();
  }

  /** A handler's error, verbatim. */
  fail(error: unknown): void {
    const { calls, call } = this;
    if (this.settings.serializer === undefined) this.#report(calls.fail(call, error, false));
    else this.#report(calls.fail(call, this.#packet({ err: error, isDisposed: true }), true));
    this.end();
  }

  /** An error that got past Nest's filters. */
  failUnfiltered(error: unknown): void {
    this.fail(this.settings.mapError(error));
  }

  /** An error of the transport. */
  refuse(error: UdsError): void {
    if (!this.call.isOver) this.settings.troubled(error);
    this.calls.refuse(this.call, error);
    this.end();
  }

  /** A value as it will travel, encoded now. @throws UsageError UNSERIALIZABLE_PAYLOAD */
  encode(value: unknown): EncodedPayload {
    return new EncodedPayload(
      this.settings.serializer === undefined ? value : this.#packet({ response: value }),
    );
  }

  /** The call is over: says so once. */
  end(): void {
    const ended = this.#ended;
    this.#ended = undefined;
    ended?.();
  }

  #packet(packet: WritePacket): unknown {
    return this.settings.serializer?.serialize({ ...packet, id: String(this.call.id) });
  }

  #report(error: UdsError | undefined): void {
    if (error !== undefined) this.settings.troubled(error);
  }
}
