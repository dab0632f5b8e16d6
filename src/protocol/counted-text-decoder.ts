import { Buffer } from 'node:buffer';
import { errorOf, type UdsError } from './errors.js';
import { KeptBytes } from './kept-bytes.js';
import { decodeText } from './payload-codec.js';

const NOTHING = Buffer.alloc(0);
const HASH = 0x23;
const DIGIT_0 = 0x30;
const DIGIT_9 = 0x39;
const MAX_DIGITS = 10;
/** Of UTF-8: a unit is half of what takes 4 bytes, or all of what takes up to 3. */
const MAX_UNIT_BYTES = 3;

/**
 * Chunks in, texts out, of the framing `length#text` whose length counts UTF-16 units: the units are counted on the UTF-8
 * bytes, each of which is looked at once. Pull-style as the FrameDecoder.
 *
 *   first byte   units   bytes that follow (RFC 3629, section 3)
 *   00..7f       1       0
 *   c2..df       1       1
 *   e0..ef       1       2
 *   f0..f4       2       3
 */
export class CountedTextDecoder {
  readonly #kept: KeptBytes;
  #chunk: Buffer = NOTHING;
  /** chunk: [ read already | #position ... unread ... ] */
  #position = 0;
  #digits = 0;
  #units = 0;
  #isInText = false;
  /** Units of the text that have not begun yet, and bytes that its last character still wants. */
  #unitsLeft = 0;
  #bytesLeft = 0;

  /** @param maxUnits the longest text that is taken. */
  constructor(private readonly maxUnits: number) {
    this.#kept = new KeptBytes(maxUnits * MAX_UNIT_BYTES);
  }

  /** Room that a length or a text which has begun takes, or may take; 0 between packets. */
  get unfinishedBytes(): number {
    return this.isMidText ? Math.max(MAX_DIGITS, this.#kept.unfinishedBytes) : 0;
  }

  /** Bytes copied so far, for the test that holds the work to be linear. */
  get copiedBytes(): number {
    return this.#kept.copiedBytes;
  }

  /** Whether a length or a text has begun and not ended. */
  get isMidText(): boolean {
    return this.#isInText || this.#digits > 0 || this.#position < this.#chunk.length;
  }

  /** Hands over a chunk. The decoder reads it until `next` gives undefined, and looks at none of it after that. */
  push(chunk: Buffer): void {
    this.#chunk = chunk;
    this.#position = 0;
  }

  /**
   * The next whole text, or undefined until more bytes come.
   *
   * @throws ProtocolError BAD_FRAME, FRAME_TOO_LARGE: the connection can't go on.
   */
  next(): string | undefined {
    if (!this.#isInText && !this.#readLength()) return undefined;
    const start = this.#position;
    const end = this.#endOfText();
    this.#position = end;
    if (this.#unitsLeft > 0 || this.#bytesLeft > 0) {
      this.#kept.append(this.#chunk, start, end);
      return undefined;
    }
    this.#isInText = false;
    return this.#textOf(start, end);
  }

  /** Reads digits up to the `#`; whether it has come. */
  #readLength(): boolean {
    while (this.#position < this.#chunk.length) {
      const byte = this.#chunk.readUInt8(this.#position);
      this.#position += 1;
      if (byte === HASH && this.#digits > 0) {
        this.#beginText();
        return true;
      }
      this.#digits += 1;
      if (byte < DIGIT_0 || byte > DIGIT_9 || this.#digits > MAX_DIGITS) {
        throw badFrame(`The length before "#" must be a number of at most ${MAX_DIGITS} digits.`);
      }
      this.#units = this.#units * 10 + byte - DIGIT_0;
    }
    return false;
  }

  #beginText(): void {
    if (this.#units > this.maxUnits) {
      throw errorOf(
        'FRAME_TOO_LARGE',
        `The peer announced a packet of ${this.#units} characters; the limit is ${this.maxUnits} (option maxFrameBytes).`,
      );
    }
    this.#isInText = true;
    this.#kept.expect(this.#units * MAX_UNIT_BYTES);
    this.#unitsLeft = this.#units;
    this.#units = 0;
    this.#digits = 0;
  }

  /** Counts units until the text ends, or the chunk does; gives where. */
  #endOfText(): number {
    const chunk = this.#chunk;
    let at = this.#position;
    while (at < chunk.length && (this.#unitsLeft > 0 || this.#bytesLeft > 0)) {
      const byte = chunk.readUInt8(at);
      at += 1;
      if (byte >= 0x80 && byte < 0xc0) {
        if (this.#bytesLeft === 0) throw notUtf8();
        this.#bytesLeft -= 1;
      } else {
        if (this.#bytesLeft > 0) throw notUtf8();
        this.#beginCharacter(byte);
      }
    }
    return at;
  }

  #beginCharacter(byte: number): void {
    if (byte > 0xf4) throw notUtf8();
    this.#bytesLeft = byte < 0x80 ? 0 : byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
    this.#unitsLeft -= byte < 0xf0 ? 1 : 2;
    if (this.#unitsLeft < 0) throw badFrame('The length of the packet ends inside a character.');
  }

  #textOf(start: number, end: number): string {
    let bytes = this.#chunk;
    let [from, to] = [start, end];
    if (this.#kept.length > 0) {
      this.#kept.append(bytes, start, end);
      bytes = this.#kept.take();
      [from, to] = [0, bytes.length];
    }
    try {
      return decodeText(bytes, from, to);
    } catch {
      throw notUtf8();
    }
  }
}

const badFrame = (message: string): UdsError => errorOf('BAD_FRAME', message);
const notUtf8 = (): UdsError => badFrame('The packet is not valid UTF-8.');
