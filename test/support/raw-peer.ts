import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterThisTest } from './cleanup.js';
import { FrameReader, rawFrame, rawHello, type RawFrame } from './raw-frames.js';
import { until } from './wait.js';

/** A client that writes what bytes it likes, and keeps the frames that it is sent. */
export class RawPeer {
  isClosed = false;
  readonly #reader = new FrameReader();

  private constructor(readonly socket: Socket) {
    socket.on('data', (chunk: Buffer) => this.#reader.read(chunk));
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

  get frames(): readonly RawFrame[] {
    return this.#reader.frames;
  }

  frame(type: number, id?: number): Promise<RawFrame> {
    return this.#reader.frame(type, id);
  }

  send(...parts: (Uint8Array | string)[]): this {
    this.socket.write(Buffer.concat(parts.map((part) => Buffer.from(part as string))));
    return this;
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
}

/** Has a server learn that what a peer sends costs little, so that it reads all of a chunk in one go. */
export async function beKnownAsCheap(peer: RawPeer): Promise<void> {
  const PINGS = 100;
  for (let round = 0; round < 12; round += 1) {
    const ids = Array.from({ length: PINGS }, (_, at) => 1_000_000 + round * PINGS + at);
    peer.send(...ids.map((id) => rawFrame({ type: 11, id })));
    await peer.frame(12, ids.at(-1));
  }
}
