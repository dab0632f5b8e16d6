import { Buffer } from 'node:buffer';
import { errorOf } from './errors.js';

/** Packs texts into one outgoing chunk. */
export class TextPacker {
  pendingBytes = 0;
  pendingFrames = 0;
  #texts: string[] = [];

  /** @param maxBytes the longest text that is packed. */
  constructor(private readonly maxBytes: number) {}

  /** Packs a text behind those that wait; gives how many bytes it takes as UTF-8. @throws UsageError PAYLOAD_TOO_LARGE */
  append(text: string): number {
    const length = Buffer.byteLength(text);
    if (length > this.maxBytes) {
      throw errorOf(
        'PAYLOAD_TOO_LARGE',
        `The payload makes a text of ${length} bytes; the limit is ${this.maxBytes} (option maxFrameBytes).`,
      );
    }
    this.#texts.push(text);
    this.pendingBytes += length;
    this.pendingFrames += 1;
    return length;
  }

  /** Hands over what was packed. */
  take(): Buffer[] {
    if (this.pendingFrames === 0) return [];
    const chunk = Buffer.from(this.#texts.join(''), 'utf8');
    this.#texts = [];
    this.pendingBytes = 0;
    this.pendingFrames = 0;
    return [chunk];
  }
}
