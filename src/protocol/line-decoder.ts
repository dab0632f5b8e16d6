import { Buffer } from 'node:buffer';
import { errorOf } from './errors.js';
import { KeptBytes } from './kept-bytes.js';

const NEWLINE = 0x0a;
const NOTHING = Buffer.alloc(0);

/**
 * Chunks in, lines out, without their `\n`. Pull-style as the FrameDecoder: `push` one chunk, then call `next` until it
 * gives undefined. A line that lies in one chunk is read where it lies; one that is cut is collected.
 */
export class LineDecoder {
  readonly #kept: KeptBytes;
  #chunk: Buffer = NOTHING;
  /** chunk: [ read already | #position ... unread ... ] */
  #position = 0;

  /** @param maxLineBytes the longest line that is taken. */
  constructor(private readonly maxLineBytes: number) {
    this.#kept = new KeptBytes(maxLineBytes);
  }

  /** Room that a line which has begun takes, or may take; 0 between lines. */
  get unfinishedBytes(): number {
    return this.#kept.unfinishedBytes;
  }

  /** Bytes copied so far, for the test that holds the work to be linear. */
  get copiedBytes(): number {
    return this.#kept.copiedBytes;
  }

  /** Hands over a chunk. The decoder reads it until `next` gives undefined, and does not keep it after that. */
  push(chunk: Buffer): void {
    this.#chunk = chunk;
    this.#position = 0;
  }

  /**
   * The next whole line, or undefined until more bytes come. It is good until the next call.
   *
   * @throws ProtocolError FRAME_TOO_LARGE
   */
  next(): Buffer | undefined {
    const start = this.#position;
    const found = this.#chunk.indexOf(NEWLINE, start);
    const end = found === -1 ? this.#chunk.length : found;
    this.#checkLength(this.#kept.length + end - start);
    if (found === -1) {
      if (end > start) this.#kept.append(this.#chunk, start, end);
      this.#chunk = NOTHING;
      this.#position = 0;
      return undefined;
    }
    this.#position = found + 1;
    if (this.#kept.length === 0) return this.#chunk.subarray(start, end);
    this.#kept.append(this.#chunk, start, end);
    return this.#kept.take();
  }

  /** What came behind the last `\n`. */
  rest(): Buffer {
    return this.#kept.take();
  }

  #checkLength(length: number): void {
    if (length <= this.maxLineBytes) return;
    throw errorOf(
      'FRAME_TOO_LARGE',
      `The line is longer than ${this.maxLineBytes} bytes (option maxFrameBytes).`,
    );
  }
}
