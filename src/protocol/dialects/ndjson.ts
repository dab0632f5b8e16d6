import type { Buffer } from 'node:buffer';
import { JSON_FACTOR } from '../call.js';
import { errorFromWire, errorOf, isWireError, type UdsError } from '../errors.js';
import { LineDecoder } from '../line-decoder.js';
import type { Message } from '../message.js';
import { decodeText } from '../payload-codec.js';
import { TextPacker } from '../text-packer.js';
import type { Dialect } from './dialect.js';
import { answerOf, callOf, type Line, lineOf, unreadable } from './ndjson-line.js';

/** What each line that is not blank begins with. */
const OPENING_BRACE = 0x7b;

const SPACES = [0x20, 0x09, 0x0d];
const NEWLINE = 0x0a;

/** Whether a connection that begins with this byte speaks in lines: an object, or blanks before one. */
export const beginsLine = (byte: number): boolean =>
  byte === OPENING_BRACE || byte === NEWLINE || SPACES.includes(byte);

/** One JSON object a line (docs/PROTOCOL.md, "ndjson"). */
export class NdjsonDialect implements Dialect {
  readonly name = 'ndjson';
  readonly hasHello = false;
  readonly isBare = false;
  readonly mayStopReading = false;
  readonly hasPackets = false;
  readonly #lines: LineDecoder;
  readonly #packer: TextPacker;

  /** @param role of this end: a server reads calls, a client answers. */
  constructor(
    maxFrameBytes: number,
    private readonly role: 'client' | 'server',
  ) {
    this.#lines = new LineDecoder(maxFrameBytes);
    this.#packer = new TextPacker(maxFrameBytes);
  }

  get unfinishedBytes(): number {
    return this.#lines.unfinishedBytes;
  }

  get unfinishedCost(): number {
    return this.unfinishedBytes * JSON_FACTOR;
  }

  get pendingBytes(): number {
    return this.#packer.pendingBytes;
  }

  get pendingFrames(): number {
    return this.#packer.pendingFrames;
  }

  decode(chunk: Buffer, receive: (message: Message) => void): void {
    this.#lines.push(chunk);
    for (let line = this.#lines.next(); line !== undefined; line = this.#lines.next())
      this.#read(line, receive);
  }

  /** What stands on the last line without an end is a line too, if it is whole. */
  end(receive: (message: Message) => void): void {
    const rest = this.#lines.rest();
    if (isBlank(rest)) return;
    if (rest[startOf(rest)] === OPENING_BRACE && !isWhole(rest))
      throw errorOf('FRAME_CUT', 'The input ended inside a line.');
    this.#read(rest, receive);
  }

  encode(message: Message): number {
    const line = lineOf(message);
    return line === undefined ? 0 : this.#packer.append(`${line}\n`);
  }

  encodeLastWord(error: UdsError): void {
    this.#packer.append(`${JSON.stringify({ error: error.toWire(), transport: true })}\n`);
  }

  take(): Buffer[] {
    return this.#packer.take();
  }

  #read(line: Buffer, receive: (message: Message) => void): void {
    const start = startOf(line);
    if (start === line.length) return;
    if (line[start] !== OPENING_BRACE)
      throw errorOf('BAD_FRAME', 'A line must be a JSON object, and begin with "{".');
    const message = this.#messageOf(line, start);
    if (message === undefined) return;
    message.wireBytes = line.length + 1;
    receive(message);
  }

  #messageOf(bytes: Buffer, start: number): Message | undefined {
    let line: Line;
    try {
      line = JSON.parse(decodeText(bytes, start, bytes.length)) as Line;
    } catch {
      const reason = 'it is no JSON object in UTF-8';
      if (this.role === 'client')
        throw errorOf('BAD_FRAME', `The server sent a line that can not be read: ${reason}.`);
      return unreadable(errorOf('BAD_PAYLOAD', `The line can not be read: ${reason}.`));
    }
    return this.role === 'server' ? callOf(line) : this.#answerOf(line);
  }

  /** @throws what the server says why it ends the connection; ProtocolError BAD_FRAME for what is no answer. */
  #answerOf(line: Line): Message {
    const message = answerOf(line);
    if (message !== undefined) return message;
    const { error } = line;
    throw isWireError(error)
      ? errorFromWire(error)
      : errorOf('BAD_FRAME', 'The server sent a line that answers no call.');
  }
}

/** Where a line begins behind its spaces. */
function startOf(line: Buffer): number {
  let start = 0;
  while (start < line.length && SPACES.includes(line.readUInt8(start))) start += 1;
  return start;
}

const isBlank = (line: Buffer): boolean => startOf(line) === line.length;

/** Whether an object is closed: JSON has no object that is a beginning of another. */
function isWhole(line: Buffer): boolean {
  try {
    JSON.parse(line.toString('utf8'));
    return true;
  } catch {
    return false;
  }
}
