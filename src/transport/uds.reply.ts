import type { Serializer, WritePacket } from '@nestjs/microservices';
import type { IncomingCall } from '../protocol/call.js';
import { errorOf, type UdsError } from '../protocol/errors.js';
import type { IncomingCalls } from '../protocol/incoming-calls.js';
import { EncodedPayload } from '../protocol/payload-codec.js';
import { isRpcException } from './uds.errors.js';

const handlerFailed = (): UdsError =>
  errorOf('HANDLER_FAILED', "The handler failed past its exception filters; the server's log has the error.");

/** What replying needs from the server, the same for every call. */
export interface ReplySettings {
  readonly maxStreamBufferBytes: number;
  /** Set where the application has its own: every answer then travels as a packet of its making. */
  readonly serializer: Serializer | undefined;
  /** One line of log for an answer that could not be given. */
  troubled(error: UdsError, call: IncomingCall): void;
  /** What a caller is told of an error that no exception filter saw; what is not meant for callers is logged. */
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

  /** Part of the application works for the call until `endWork`, whatever becomes of the call meanwhile. */
  beginWork(): void {
    this.calls.beginWork(this.call);
  }

  endWork(): void {
    this.calls.endWork(this.call);
  }

  /** So many bytes are kept for the call's reader from now on, or no longer where they are negative. */
  keep(bytes: number): void {
    this.calls.keep(this.call, bytes);
  }

  /** Whether there is memory for what is kept. */
  mayKeep(): boolean {
    return this.calls.mayKeep();
  }

  /** A method, since the answer changes while a stream is awaited. */
  isOver(): boolean {
    return this.call.isOver;
  }

  /** Whether the next value of a stream may be written now. */
  canStream(): boolean {
    return this.calls.canStream(this.call);
  }

  /** The one value, and the end. */
  respond(value: unknown): void {
    if (this.settings.serializer === undefined) this.#report(this.calls.respond(this.call, value, false));
    else
      this.#writePacket({ response: value, isDisposed: true }, (packet) =>
        this.calls.respond(this.call, packet, true),
      );
    this.end();
  }

  /** One value of many, encoded already where it had to wait. */
  next(value: unknown): void {
    const isEnveloped = this.settings.serializer !== undefined;
    if (!isEnveloped || EncodedPayload.is(value)) {
      this.#report(this.calls.next(this.call, value, isEnveloped));
    } else {
      this.#writePacket({ response: value }, (packet) => this.calls.next(this.call, packet, true));
    }
  }

  complete(): void {
    if (this.settings.serializer === undefined)
      this.#report(this.calls.complete(this.call, undefined, false));
    else this.#writePacket({ isDisposed: true }, (packet) => this.calls.complete(this.call, packet, true));
    this.end();
  }

  /** A handler's error, verbatim. */
  fail(error: unknown): void {
    if (this.settings.serializer === undefined) this.#report(this.calls.fail(this.call, error, false));
    else
      this.#writePacket({ err: error, isDisposed: true }, (packet) =>
        this.calls.fail(this.call, packet, true),
      );
    this.end();
  }

  /** An error that no filter was there for: one inside of a generator. */
  failUnfiltered(error: unknown): void {
    this.fail(this.settings.mapError(error));
  }

  /** An error that came out of Nest's filters or hooks themselves. */
  failPastFilters(error: unknown): void {
    const told = this.settings.mapError(error);
    if (isRpcException(error)) this.fail(told);
    else this.#refuseQuietly(handlerFailed());
  }

  /** An error of the transport. */
  refuse(error: UdsError): void {
    if (!this.call.isOver) this.settings.troubled(error, this.call);
    this.#refuseQuietly(error);
  }

  /** The same, where the log has it already. */
  #refuseQuietly(error: UdsError): void {
    this.calls.refuse(this.call, error);
    this.end();
  }

  /** A value as it will travel, encoded now. @throws UsageError UNSERIALIZABLE_PAYLOAD, or what the serializer threw */
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

  /** Writes what the application's serializer makes of a packet; one that throws ends the call. */
  #writePacket(packet: WritePacket, write: (packet: unknown) => UdsError | undefined): void {
    let serialized: unknown;
    try {
      serialized = this.#packet(packet);
    } catch {
      this.refuse(
        errorOf('UNSERIALIZABLE_ANSWER', 'The serializer of the server could not write the answer.'),
      );
      return;
    }
    this.#report(write(serialized));
  }

  #packet(packet: WritePacket): unknown {
    return this.settings.serializer?.serialize({ ...packet, id: this.call.peerId ?? String(this.call.id) });
  }

  #report(error: UdsError | undefined): void {
    if (error !== undefined) this.settings.troubled(error, this.call);
  }
}
