import { Buffer } from 'node:buffer';
import { errorOf } from './errors.js';
import { FLAGS_OF_TYPE, FrameFlag, HEADER_BYTES, type Frame } from './frame.js';
import { longMemory } from './long-memory.js';

const NOTHING = Buffer.alloc(0);

const isKnown = (type: number): boolean => type > 0 && type < FLAGS_OF_TYPE.length;

/**
 * Chunks in, frames out. Pull-style: `push` one chunk, then call `next` until it gives undefined.
 *
 * Whole frames are read where they lie, without a copy. A frame that is cut by the end of a chunk is collected:
 * its header into a small fixed buffer, its body into one allocation of the announced length, made with the second chunk
 * of the body: a length that is announced and never followed costs nothing. (Where chunks are lent, as to a client, with `letGo`.)
 * So every byte is copied at most once, however the stream is split.
 *
 *   chunk 1 [ ... | header | head ]   kept where it lies; room for the body is announced (`unfinishedBytes`)
 *   chunk 2 [ body goes on ... ]      body = [ head | ... ]
 */
export class FrameDecoder {
  /** The longest body taken. */
  maxFrameBytes: number;

  /** Bytes copied so far, for the test that holds the work to be linear. */
  copiedBytes = 0;

  readonly #frame: Frame = { type: 0, flags: 0, id: 0, bytes: NOTHING, start: 0, end: 0, ownsBytes: false };
  readonly #header = Buffer.alloc(HEADER_BYTES);
  #headerFilled = 0;
  #body: Buffer | undefined;
  #bodyFilled = 0;
  /** Of a body that has begun: its length, and what the first chunk had of it. */
  #announcedBytes = 0;
  #head: Buffer = NOTHING;
  #chunk: Buffer = NOTHING;
  /** chunk: [ read already | #position ... unread ... ] */
  #position = 0;

  constructor(maxFrameBytes: number) {
    this.maxFrameBytes = maxFrameBytes;
  }

  /** Whether a frame has begun and not ended. */
  get isMidFrame(): boolean {
    return this.#headerFilled > 0 || this.#position < this.#chunk.length;
  }

  /** Room that the frame which has begun takes, or will take with the next chunk; 0 between frames. */
  get unfinishedBytes(): number {
    return this.#headerFilled === 0 ? 0 : HEADER_BYTES + this.#announcedBytes;
  }

  /** Of the same frame, once its header is there. */
  get unfinishedFlags(): number {
    return this.#header.readUInt8(HEADER_BYTES - 1);
  }

  /** Hands over a chunk. The decoder reads it until `next` gives undefined, and keeps its end until the next one where a frame is cut. */
  push(chunk: Buffer): void {
    this.#chunk = chunk;
    this.#position = 0;
  }

  /** Copies the end of the last chunk, where it was kept, into a body that is made for it now. */
  letGo(): void {
    if (this.#announcedBytes > 0) this.#body ??= this.#begin(this.#announcedBytes);
  }

  /**
   * The next whole frame, or undefined until more bytes come.
   *
   * @throws ProtocolError FRAME_TOO_LARGE, UNKNOWN_TYPE, BAD_FRAME: the connection can't go on.
   */
  next(): Frame | undefined {
    for (;;) {
      const frame = this.#headerFilled > 0 ? this.#collect() : this.#readInPlace();
      if (frame === undefined) {
        this.#chunk = NOTHING;
        this.#position = 0;
        return undefined;
      }
      if (isKnown(frame.type)) return frame;
    }
  }

  #readInPlace(): Frame | undefined {
    const available = this.#chunk.length - this.#position;
    if (available === 0) return undefined;
    if (available < HEADER_BYTES) return this.#collect();
    const frame = this.#readHeader(this.#chunk, this.#position);
    const start = this.#position + HEADER_BYTES;
    const end = start + frame.end;
    if (end > this.#chunk.length) return this.#collect();
    frame.bytes = this.#chunk;
    frame.start = start;
    frame.end = end;
    frame.ownsBytes = false;
    this.#position = end;
    return frame;
  }

  /** Goes on with a frame that the end of a chunk cut. */
  #collect(): Frame | undefined {
    if (this.#headerFilled < HEADER_BYTES) {
      this.#headerFilled += this.#take(this.#header, this.#headerFilled, HEADER_BYTES);
      if (this.#headerFilled < HEADER_BYTES) return undefined;
    }
    const frame = this.#readHeader(this.#header, 0);
    const length = frame.end;
    this.#body ??= this.#bodyOf(length);
    if (this.#body === undefined) return undefined;
    this.#bodyFilled += this.#take(this.#body, this.#bodyFilled, length);
    if (this.#bodyFilled < length) return undefined;
    frame.bytes = this.#body;
    frame.start = 0;
    frame.ownsBytes = true;
    this.#headerFilled = 0;
    this.#body = undefined;
    this.#bodyFilled = 0;
    this.#announcedBytes = 0;
    return frame;
  }

  /** Room for a body with what has come of it; none before a second chunk is there, unless the first has all of it. */
  #bodyOf(length: number): Buffer | undefined {
    if (this.#announcedBytes === 0 && this.#chunk.length - this.#position < length) {
      this.#announcedBytes = length;
      this.#head = this.#chunk.subarray(this.#position);
      this.#position = this.#chunk.length;
      return undefined;
    }
    return this.#begin(length);
  }

  /** Makes a body and moves into it what was kept of it. */
  #begin(length: number): Buffer {
    const body = length === 0 ? NOTHING : longMemory(length);
    this.#bodyFilled = this.#head.copy(body);
    this.copiedBytes += this.#bodyFilled;
    this.#head = NOTHING;
    return body;
  }

  /** Copies what the chunk has into `target` from `filled` up to `length`; gives how many bytes that were. */
  #take(target: Buffer, filled: number, length: number): number {
    const count = Math.min(length - filled, this.#chunk.length - this.#position);
    this.#chunk.copy(target, filled, this.#position, this.#position + count);
    this.#position += count;
    this.copiedBytes += count;
    return count;
  }

  /** Reads and checks a header; leaves the body's length in `end`. */
  #readHeader(bytes: Buffer, at: number): Frame {
    const frame = this.#frame;
    const length = bytes.readUInt32BE(at);
    frame.id = bytes.readUInt32BE(at + 4);
    const type = bytes.readUInt8(at + 8);
    const flags = bytes.readUInt8(at + 9);
    if (length > this.maxFrameBytes) {
      throw errorOf(
        'FRAME_TOO_LARGE',
        `The peer announced a frame of ${length} bytes; the limit is ${this.maxFrameBytes} (option maxFrameBytes).`,
      );
    }
    if (!isKnown(type)) {
      if ((flags & FrameFlag.SKIPPABLE) === 0)
        throw errorOf('UNKNOWN_TYPE', `Frame type ${type} is unknown.`);
    } else if ((flags & ~(FLAGS_OF_TYPE[type] ?? 0)) !== 0) {
      throw errorOf('BAD_FRAME', `Frame type ${type} has undefined flags (0x${flags.toString(16)}).`);
    }
    frame.type = type;
    frame.flags = flags;
    frame.end = length;
    return frame;
  }
}
