import { Buffer } from 'node:buffer';
import { until } from './wait.js';

export interface RawFrame {
  readonly id: number;
  readonly type: number;
  readonly flags: number;
  readonly body: Buffer;
}

/** Writes a frame by the page (docs/PROTOCOL.md) and not by our encoder. */
export function rawFrame({
  type,
  id = 0,
  flags = 0,
  body = '',
}: Partial<Omit<RawFrame, 'body'>> & { type: number; body?: Uint8Array | string }): Buffer {
  const bytes = Buffer.from(body as string);
  const header = Buffer.alloc(10);
  header.writeUInt32BE(bytes.length, 0);
  header.writeUInt32BE(id, 4);
  header.writeUInt8(type, 8);
  header.writeUInt8(flags, 9);
  return Buffer.concat([header, bytes]);
}

/** The body of a hello of a client that takes `maxFrameBytes`. */
export function rawHello({
  magic = 'NUDS',
  from = 1,
  to = 1,
  maxFrameBytes = 16 * 1024 ** 2,
  pid = 4711,
  name = 'raw',
} = {}): Buffer {
  const body = Buffer.alloc(29);
  body.write(magic, 0);
  body.writeUInt8(from, 4);
  body.writeUInt8(to, 5);
  body.writeUInt32BE(maxFrameBytes, 12);
  body.writeUInt32BE(pid, 24);
  body.writeUInt8(Buffer.byteLength(name), 28);
  return rawFrame({ type: 1, body: Buffer.concat([body, Buffer.from(name)]) });
}

interface RawCall {
  readonly id?: number;
  readonly pattern: Uint8Array | string;
  readonly payload?: Uint8Array | string;
  /** How the payload is written: 0 none, 1 JSON, 2 text, 3 bytes. */
  readonly kind?: number;
  readonly metadata?: string;
  readonly timeoutMs?: number;
  readonly credit?: number;
}

/** A REQUEST, or an EVENT where it has no id. */
export function rawCall({
  id = 0,
  pattern,
  payload = '',
  kind = 2,
  metadata = '',
  timeoutMs = 0,
  credit = 0,
}: RawCall): Buffer {
  const head = Buffer.alloc(12);
  const patternBytes = Buffer.from(pattern as string);
  head.writeUInt32BE(timeoutMs, 0);
  head.writeUInt32BE(credit, 4);
  head.writeUInt16BE(patternBytes.length, 8);
  head.writeUInt16BE(Buffer.byteLength(metadata), 10);
  const body = Buffer.concat([head, patternBytes, Buffer.from(metadata), Buffer.from(payload as string)]);
  return rawFrame({ type: id === 0 ? 4 : 3, id, flags: kind, body });
}

/** Takes a stream of bytes apart into frames, by the page, and keeps them. */
export class FrameReader {
  readonly frames: RawFrame[] = [];
  #unread = Buffer.alloc(0);

  read(chunk: Buffer): void {
    this.#unread = Buffer.concat([this.#unread, chunk]);
    while (this.#unread.length >= 10 && this.#unread.length >= 10 + this.#unread.readUInt32BE(0)) {
      const end = 10 + this.#unread.readUInt32BE(0);
      this.frames.push({
        id: this.#unread.readUInt32BE(4),
        type: this.#unread.readUInt8(8),
        flags: this.#unread.readUInt8(9),
        body: this.#unread.subarray(10, end),
      });
      this.#unread = this.#unread.subarray(end);
    }
  }

  /** The first frame of a type (and call), waited for. */
  async frame(type: number, id?: number): Promise<RawFrame> {
    const find = (): RawFrame | undefined =>
      this.frames.find((frame) => frame.type === type && (id === undefined || frame.id === id));
    await until(() => find() !== undefined, `a frame of type ${type} came`);
    return find()!;
  }
}
