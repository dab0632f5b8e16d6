import { Buffer } from 'node:buffer';
import { errorOf } from '../errors.js';
import { FrameType, MAX_U32 } from '../frame.js';
import { Message } from '../message.js';
import { bytesOf, EncodedPayload, encodeJson, payloadKindOf, PayloadKind } from '../payload-codec.js';
import type { Dialect } from './dialect.js';

/** Bytes without an envelope (docs/PROTOCOL.md, "raw"): what both ends of it share. */
abstract class RawBytes {
  readonly name = 'raw';
  readonly hasHello = false;
  readonly isBare = true;
  readonly mayStopReading = false;
  readonly hasPackets = false;
  /** Each chunk is whole. */
  readonly unfinishedBytes = 0;
  readonly unfinishedCost = 0;
  pendingBytes = 0;
  #chunks: Buffer[] = [];

  get pendingFrames(): number {
    return this.#chunks.length;
  }

  encodeLastWord(): void {
    // There is no form for one: the end of the connection says it.
  }

  take(): Buffer[] {
    const chunks = this.#chunks;
    this.#chunks = [];
    this.pendingBytes = 0;
    return chunks;
  }

  protected append(payload: unknown): number {
    const bytes = bareOf(payload);
    if (bytes.length > 0) this.#chunks.push(bytes);
    this.pendingBytes += bytes.length;
    return bytes.length;
  }
}

/** The server's end: each chunk is the payload of a request for one pattern. */
export class RawDialect extends RawBytes implements Dialect {
  #lastId = 0;

  constructor(private readonly pattern: string) {
    super();
  }

  decode(chunk: Buffer, receive: (message: Message) => void): void {
    if (chunk.length === 0) return;
    // Few are in flight at a time, and those in a row, so that none of these ids can still be in use.
    this.#lastId = this.#lastId === MAX_U32 ? 1 : this.#lastId + 1;
    const message = new Message(FrameType.REQUEST, this.#lastId);
    message.pattern = this.pattern;
    message.payload = Buffer.from(chunk);
    message.credit = Infinity;
    message.wireBytes = chunk.length;
    receive(message);
  }

  end(): void {
    // Any byte may be the last one.
  }

  encode(message: Message): number {
    const hasValue = message.type === FrameType.RESPONSE || message.type === FrameType.NEXT;
    return hasValue ? this.append(message.payload) : 0;
  }
}

/** The client's end: one call, whose answers are all that comes until the end of the input. */
export class RawClientDialect extends RawBytes implements Dialect {
  #id = 0;

  decode(chunk: Buffer, receive: (message: Message) => void): void {
    if (this.#id === 0) throw errorOf('UNEXPECTED_FRAME', 'The server spoke before it was asked.');
    const message = new Message(FrameType.NEXT, this.#id);
    message.payload = Buffer.from(chunk);
    message.wireBytes = chunk.length;
    receive(message);
  }

  end(receive: (message: Message) => void): void {
    if (this.#id !== 0) receive(new Message(FrameType.COMPLETE, this.#id));
  }

  encode(message: Message): number {
    if (message.type !== FrameType.REQUEST && message.type !== FrameType.EVENT) return 0;
    this.#id = message.id;
    return this.append(message.payload);
  }
}

/** A value as bare bytes: bytes as they are, a string as UTF-8, anything else as JSON. @throws UsageError UNSERIALIZABLE_PAYLOAD */
function bareOf(payload: unknown): Buffer {
  if (EncodedPayload.is(payload))
    return typeof payload.body === 'string' ? Buffer.from(payload.body) : bytesOf(payload.body);
  switch (payloadKindOf(payload)) {
    case PayloadKind.NONE:
      return Buffer.alloc(0);
    case PayloadKind.BYTES:
      return bytesOf(payload as Uint8Array);
    default:
      return Buffer.from(typeof payload === 'string' ? payload : encodeJson(payload));
  }
}
