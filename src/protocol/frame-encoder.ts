import { Buffer } from 'node:buffer';
import { CALL_HEAD_BYTES, HEADER_BYTES } from './frame.js';
import { longMemory } from './long-memory.js';

/** One slab serves some 700 small frames; a body above BESIDE_BYTES is never copied into one. */
const SLAB_BYTES = 64 * 1024;
const BESIDE_BYTES = 8 * 1024;
const MAX_SPARE_SLABS = 8;

/**
 * Memory that frames are packed into. Bytes before `used` were handed out and belong to a socket until it has
 * written them: they are never written again, so a slab needs no word back from the socket.
 */
class Slab {
  readonly bytes = Buffer.allocUnsafeSlow(SLAB_BYTES);
  used = 0;

  get room(): number {
    return SLAB_BYTES - this.used;
  }
}

/**
 * What `Buffer.from(text)` gives, in a sixth of its time where the text is long: that one measures and moves it once more. A text
 * with as many bytes as units is ASCII, and as Latin-1 that is written in a quarter of the time.
 */
function bytesOf(text: string, length: number): Buffer {
  const bytes = longMemory(length);
  bytes.write(text, length === text.length ? 'latin1' : 'utf8');
  return bytes;
}

/** Slabs between two flushes: an encoder holds one only while it has frames pending, so idle connections hold none. */
const spareSlabs: Slab[] = [];

/**
 * Packs frames into outgoing chunks: small ones side by side in a slab, large bodies beside their header without
 * a copy. `begin`, any number of `append…`, then `end` or `rollback`; `take` hands the chunks over.
 *
 *   slab: [ handed out | #from ... pending ... | used ... free ... ]
 */
export class FrameEncoder {
  #chunks: Buffer[] = [];
  #slab: Slab | undefined;
  #from = 0;
  #pendingBytes = 0;
  #pendingFrames = 0;

  /** The open frame: where its header lies, how long its body is so far, and where to return to on rollback. */
  #header: Buffer = Buffer.alloc(0);
  #headerAt = 0;
  #bodyBytes = 0;
  #chunksBefore = 0;
  #slabBefore: Slab | undefined;
  #fromBefore = 0;

  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  get pendingFrames(): number {
    return this.#pendingFrames;
  }

  begin(type: number, flags: number, id: number): void {
    // The head of a call is patched once pattern and metadata are written: it must lie in one piece with the header.
    const slab = this.#reserve(HEADER_BYTES + CALL_HEAD_BYTES);
    this.#chunksBefore = this.#chunks.length;
    this.#slabBefore = slab;
    this.#fromBefore = this.#from;
    this.#header = slab.bytes;
    this.#headerAt = slab.used;
    this.#bodyBytes = 0;
    slab.bytes.writeUInt32BE(id, slab.used + 4);
    slab.bytes[slab.used + 8] = type;
    slab.bytes[slab.used + 9] = flags;
    slab.used += HEADER_BYTES;
  }

  appendU8(value: number): void {
    const slab = this.#reserve(1);
    slab.bytes[slab.used] = value;
    slab.used += 1;
    this.#bodyBytes += 1;
  }

  appendU16(value: number): void {
    const slab = this.#reserve(2);
    slab.bytes.writeUInt16BE(value, slab.used);
    slab.used += 2;
    this.#bodyBytes += 2;
  }

  appendU32(value: number): void {
    const slab = this.#reserve(4);
    slab.bytes.writeUInt32BE(value, slab.used);
    slab.used += 4;
    this.#bodyBytes += 4;
  }

  /** Writes a string as UTF-8; gives how many bytes it took. */
  appendText(text: string): number {
    // A UTF-16 unit takes three bytes of UTF-8 at the most, so a short text fits without being measured.
    if (this.#slab !== undefined && text.length * 3 <= Math.min(this.#slab.room, BESIDE_BYTES)) {
      return this.#writeText(this.#slab, text);
    }
    const length = Buffer.byteLength(text);
    if (length > BESIDE_BYTES) this.#appendBeside(bytesOf(text, length));
    else this.#writeText(this.#reserve(length), text);
    return length;
  }

  /** Large bytes are handed on as they are: they belong to the socket until it has written them. */
  appendBytes(bytes: Uint8Array): void {
    if (bytes.length > BESIDE_BYTES) {
      this.#appendBeside(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
      return;
    }
    const slab = this.#reserve(bytes.length);
    slab.bytes.set(bytes, slab.used);
    slab.used += bytes.length;
    this.#bodyBytes += bytes.length;
  }

  /** Bytes in the body of the open frame so far. */
  get bodyBytes(): number {
    return this.#bodyBytes;
  }

  /** Writes over a u16 of the open frame's body at offset `at`, whose first bytes lie with the header. */
  patchU16(at: number, value: number): void {
    this.#header.writeUInt16BE(value, this.#headerAt + HEADER_BYTES + at);
  }

  /** Closes the open frame. */
  end(): void {
    this.#header.writeUInt32BE(this.#bodyBytes, this.#headerAt);
    this.#pendingBytes += HEADER_BYTES + this.#bodyBytes;
    this.#pendingFrames += 1;
  }

  /** Takes the open frame back, as if it had never begun. */
  rollback(): void {
    this.#chunks.length = this.#chunksBefore;
    this.#slab = this.#slabBefore;
    this.#from = this.#fromBefore;
    if (this.#slab !== undefined) this.#slab.used = this.#headerAt;
  }

  /** Hands over all pending frames as chunks, in order; they belong to the caller from then on. */
  take(): Buffer[] {
    this.#closeRegion();
    const chunks = this.#chunks;
    this.#chunks = [];
    this.#pendingBytes = 0;
    this.#pendingFrames = 0;
    this.#dropSlab();
    return chunks;
  }

  /** A slab with room for `length` bytes in one piece; at most BESIDE_BYTES, which every spare slab has. */
  #reserve(length: number): Slab {
    if (this.#slab !== undefined && this.#slab.room >= length) return this.#slab;
    this.#closeRegion();
    const slab = spareSlabs.pop() ?? new Slab();
    this.#slab = slab;
    this.#from = slab.used;
    return slab;
  }

  #writeText(slab: Slab, text: string): number {
    const written = slab.bytes.write(text, slab.used, 'utf8');
    slab.used += written;
    this.#bodyBytes += written;
    return written;
  }

  #appendBeside(bytes: Buffer): void {
    this.#closeRegion();
    this.#chunks.push(bytes);
    this.#bodyBytes += bytes.length;
  }

  #closeRegion(): void {
    const slab = this.#slab;
    if (slab === undefined || slab.used === this.#from) return;
    this.#chunks.push(slab.bytes.subarray(this.#from, slab.used));
    this.#from = slab.used;
  }

  #dropSlab(): void {
    const slab = this.#slab;
    this.#slab = undefined;
    if (slab !== undefined && slab.room >= BESIDE_BYTES && spareSlabs.length < MAX_SPARE_SLABS) {
      spareSlabs.push(slab);
    }
  }
}
