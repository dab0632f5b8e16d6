import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterThisTest } from './cleanup.js';
import { until } from './wait.js';

export interface RawFrame {
  readonly id: number;
  readonly type: number;
  readonly flags: number;
  readonly body: Buffer;
}

/** Writes a frame by the page (docs/PROTOCOL.md) and not by our encoder. */
export function rawFrame({ type, id = 0, flags = 0, body = '' }: Partial<Omit<RawFrame, 'body'>> & { type: number; body?: Uint8Array | string }): Buffer {
  const bytes = Buffer.from(body as string);
  const header = Buffer.alloc(10);
  header.writeUInt32BE(bytes.length, 0);
  header.writeUInt32BE(id, 4);
  header.writeUInt8(type, 8);
  header.writeUInt8(flags, 9);
  return Buffer.concat([header, bytes]);
}

/** The body of a hello of a client that takes `maxFrameBytes`. */
export function rawHello({ magic = 'NUDS', from = 1, to = 1, maxFrameBytes = 16 * 1024 ** 2, pid = 4711, name = 'raw' } = {}): Buffer {
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
export function rawCall({ id = 0, pattern, payload = '', kind = 2, metadata = '', timeoutMs = 0, credit = 0 }: RawCall): Buffer {
  const head = Buffer.alloc(12);
  const patternBytes = Buffer.from(pattern as string);
  head.writeUInt32BE(timeoutMs, 0);
  head.writeUInt32BE(credit, 4);
  head.writeUInt16BE(patternBytes.length, 8);
  head.writeUInt16BE(Buffer.byteLength(metadata), 10);
  const body = Buffer.concat([head, patternBytes, Buffer.from(metadata), Buffer.from(payload as string)]);
  return rawFrame({ type: id === 0 ? 4 : 3, id, flags: kind, body });
}

/** A peer that writes what bytes it likes, and keeps the frames that it is sent. */
export class RawPeer {
  readonly frames: RawFrame[] = [];
  isClosed = false;
  #unread = Buffer.alloc(0);

  private constructor(readonly socket: Socket) {
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('error', () => undefined);
    socket.on('close', () => (this.isClosed = true));
    afterThisTest(() => socket.destroy());
  }

  static async to(path: string): Promise<RawPeer> {
    const peer = new RawPeer(connect(path));
    await once(peer.socket, 'connect');
    return peer;
  }

  /** One that has said hello and was answered. */
  static async greeted(path: string, hello: Parameters<typeof rawHello>[0] = {}): Promise<RawPeer> {
    const peer = await RawPeer.to(path);
    peer.send(rawHello(hello));
    await peer.frame(2);
    return peer;
  }

  send(...parts: (Uint8Array | string)[]): this {
    this.socket.write(Buffer.concat(parts.map((part) => Buffer.from(part as string))));
    return this;
  }

  /** The first frame of a type (and call), waited for. */
  async frame(type: number, id?: number): Promise<RawFrame> {
    const find = (): RawFrame | undefined =>
      this.frames.find((frame) => frame.type === type && (id === undefined || frame.id === id));
    await until(() => find() !== undefined, `a frame of type ${type} came`);
    return find()!;
  }

  /** The code of the transport's error that ends a call. */
  async refusal(id: number): Promise<string> {
    const { body, flags } = await this.frame(8, id);
    if ((flags & 8) === 0) throw new Error('an error of a handler came');
    return (JSON.parse(body.toString()) as { code: string }).code;
  }

  async closed(): Promise<void> {
    await until(() => this.isClosed, 'the connection was closed');
  }

  #read(chunk: Buffer): void {
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
}
