import type { Buffer } from 'node:buffer';
import { JSON_FACTOR } from '../call.js';
import { errorOf, type UdsError } from '../errors.js';
import { FrameFlag, FrameType } from '../frame.js';
import { FrameDecoder } from '../frame-decoder.js';
import { FrameEncoder } from '../frame-encoder.js';
import { FLOOR_FRAME_BYTES, MAX_HELLO_BYTES } from '../hello.js';
import { decodeMessage, encodeMessage, Message } from '../message.js';
import { PayloadKind } from '../payload-codec.js';
import type { Dialect } from './dialect.js';

/** The first byte of a connection in this dialect: the top of a CLIENT_HELLO's length. */
export const BINARY_FIRST_BYTE = 0x00;

/** The default dialect (docs/PROTOCOL.md). Learns from the hello that it reads how long a frame the peer takes. */
export class BinaryDialect implements Dialect {
  readonly name = 'binary';
  readonly hasHello = true;
  readonly isBare = false;
  readonly mayStopReading = false;
  readonly hasPackets = true;
  readonly #maxFrameBytes: number;
  readonly #decoder = new FrameDecoder(MAX_HELLO_BYTES);
  readonly #encoder = new FrameEncoder();
  #peerMaxFrameBytes = FLOOR_FRAME_BYTES;

  constructor(maxFrameBytes: number) {
    this.#maxFrameBytes = maxFrameBytes;
  }

  get unfinishedBytes(): number {
    return this.#decoder.unfinishedBytes;
  }

  get unfinishedCost(): number {
    const { unfinishedBytes, unfinishedFlags } = this.#decoder;
    return (
      unfinishedBytes * ((unfinishedFlags & FrameFlag.PAYLOAD_KIND) === PayloadKind.JSON ? JSON_FACTOR : 1)
    );
  }

  get pendingBytes(): number {
    return this.#encoder.pendingBytes;
  }

  get pendingFrames(): number {
    return this.#encoder.pendingFrames;
  }

  decode(chunk: Buffer, receive: (message: Message) => void): void {
    this.#decoder.push(chunk);
    for (let frame = this.#decoder.next(); frame !== undefined; frame = this.#decoder.next()) {
      const message = decodeMessage(frame);
      if (message.hello !== undefined) this.#peerMaxFrameBytes = message.hello.maxFrameBytes;
      // Until the first frame has come nothing longer than a hello is taken, so a stranger can't make us allocate.
      this.#decoder.maxFrameBytes = this.#maxFrameBytes;
      receive(message);
    }
  }

  letGo(): void {
    this.#decoder.letGo();
  }

  end(): void {
    if (this.#decoder.isMidFrame)
      throw errorOf('FRAME_CUT', 'The peer closed the connection inside a frame.');
  }

  encode(message: Message): number {
    return encodeMessage(message, this.#encoder, this.#peerMaxFrameBytes);
  }

  /** A client that was not served at all is told why; to any other the end of the connection is enough. */
  encodeLastWord(error: UdsError): void {
    if (error.code !== 'UNKNOWN_DIALECT') return;
    const message = new Message(FrameType.GOAWAY, 0);
    message.isFinal = true;
    message.payload = error.toWire();
    this.encode(message);
  }

  take(): Buffer[] {
    return this.#encoder.take();
  }
}
