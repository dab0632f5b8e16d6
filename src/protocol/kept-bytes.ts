import { Buffer } from 'node:buffer';

const NOTHING = Buffer.alloc(0);
const FIRST_BYTES = 256;
/** Up to this nobody asks how long it will be: a read of the socket is as long. */
const UNTOLD_BYTES = 64 * 1024;

/**
 * The bytes of something whose length nobody has told, kept until its end comes. Room doubles as it is needed, so each
 * byte is copied a bounded number of times, however small the pieces are that it comes in.
 */
export class KeptBytes {
  /** Bytes copied so far, for the test that holds the work to be linear. */
  copiedBytes = 0;
  #room = NOTHING;
  #length = 0;
  #maxBytes: number;

  /** @param maxBytes the most that is ever kept: room does not grow past it. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** What comes next has no more than so many bytes. */
  expect(maxBytes: number): void {
    this.#maxBytes = maxBytes;
  }

  get length(): number {
    return this.#length;
  }

  /** What it may come to hold: a little is counted as it is, more than that as much as there may ever be. */
  get unfinishedBytes(): number {
    return this.#room.length <= UNTOLD_BYTES ? this.#room.length : this.#maxBytes;
  }

  /** Copies a part of a chunk behind what is kept. */
  append(chunk: Buffer, start: number, end: number): void {
    const length = this.#length + end - start;
    if (length > this.#room.length) {
      const grown = Buffer.allocUnsafeSlow(
        Math.max(length, Math.min(this.#maxBytes, Math.max(this.#room.length * 2, FIRST_BYTES))),
      );
      this.#room.copy(grown, 0, 0, this.#length);
      this.copiedBytes += this.#length;
      this.#room = grown;
    }
    chunk.copy(this.#room, this.#length, start, end);
    this.copiedBytes += end - start;
    this.#length = length;
  }

  /** Hands over what was kept, and keeps nothing any more. */
  take(): Buffer {
    const bytes = this.#room.subarray(0, this.#length);
    this.#room = NOTHING;
    this.#length = 0;
    return bytes;
  }
}
