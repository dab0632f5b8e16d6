import type { Buffer } from 'node:buffer';
import { errorOf } from '../errors.js';
import { FrameDecoder } from '../frame-decoder.js';
import { FrameEncoder } from '../frame-encoder.js';
import { FLOOR_FRAME_BYTES, MAX_HELLO_BYTES } from '../hello.js';
import { decodeMessage, encodeMessage, type Message } from '../message.js';
import type { Dialect } from './dialect.js';

/** The first byte of a connection in this dialect: the top of a CLIENT_HELLO's length. */
export const BINARY_FIRST_BYTE = 0x00;

/** The default dialect (docs/PROTOCOL.md). Learns from the hello that it reads how long a frame the peer takes. */
export class BinaryDialect implements Dialect {
  readonly name = 'binary';
  readonly #maxFrameBytes: number;
  readonly #decoder = new FrameDecoder(MAX_HELLO_BYTES);
  readonly #encoder = new FrameEncoder();
  #peerMaxFrameBytes = FLOOR_FRAME_BYTES;

  constructor(maxFrameBytes: number) {
    this.#maxFrameBytes = maxFrameBytes;
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

  end(): void {
    if (this.#decoder.isMidFrame)
      throw errorOf('FRAME_CUT', 'The peer closed the connection inside a frame.');
  }

  encode(message: Message): number {
    return encodeMessage(message, this.#encoder, this.#peerMaxFrameBytes);
  }

  take(): Buffer[] {
    return this.#encoder.take();
  }
}
