import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { UdsServer } from '../../src/index.js';
import { afterThisTest } from './cleanup.js';
import { until } from './wait.js';

/** One line or packet of JSON. */
export type Json = Readonly<Record<string, unknown>>;

/** A peer of the dialects without a hello: writes what bytes it likes, keeps those that it is sent, and reads them by the page. */
export class TextPeer {
  /** The server has said its end. */
  hasEnded = false;
  isClosed = false;
  #chunks: Buffer[] = [];

  private constructor(readonly socket: Socket) {
    socket.on('data', (chunk: Buffer) => this.#chunks.push(chunk));
    socket.on('error', () => undefined);
    socket.on('end', () => (this.hasEnded = true));
    socket.on('close', () => (this.isClosed = true));
    afterThisTest(() => socket.destroy());
  }

  /** @param allowHalfOpen of one that goes on writing after the server's end. */
  static async to(path: string, allowHalfOpen = false): Promise<TextPeer> {
    const peer = new TextPeer(connect({ path, allowHalfOpen }));
    await once(peer.socket, 'connect');
    return peer;
  }

  /** One, and its socket at the server's end. */
  static async accepted(
    { server, path }: { readonly server: UdsServer; readonly path: string },
    allowHalfOpen = false,
  ): Promise<{ peer: TextPeer; socket: Socket }> {
    let accepted: Socket | undefined;
    server.on('connection', (socket: Socket) => (accepted ??= socket));
    const peer = await TextPeer.to(path, allowHalfOpen);
    await until(() => accepted !== undefined, 'the server accepted');
    return { peer, socket: accepted! };
  }

  get bytes(): Buffer {
    const all = Buffer.concat(this.#chunks);
    this.#chunks = [all];
    return all;
  }

  get text(): string {
    return this.bytes.toString();
  }

  /** The whole lines of NDJSON that have come. */
  get lines(): Json[] {
    const lines = this.text.split('\n').slice(0, -1);
    return lines.map((line) => JSON.parse(line) as Json);
  }

  /** The whole packets of nest-json that have come. */
  get packets(): Json[] {
    const { text } = this;
    const packets: Json[] = [];
    for (let at = 0; at < text.length;) {
      const hash = text.indexOf('#', at);
      const end = hash + 1 + Number(text.slice(at, hash));
      if (hash < 0 || end > text.length) break;
      packets.push(JSON.parse(text.slice(hash + 1, end)) as Json);
      at = end;
    }
    return packets;
  }

  send(...parts: (Uint8Array | string)[]): this {
    this.socket.write(Buffer.concat(parts.map((part) => Buffer.from(part as string))));
    return this;
  }

  /** Writes lines of NDJSON. */
  sendLines(...lines: object[]): this {
    return this.send(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  }

  /** Writes packets of nest-json. */
  sendPackets(...packets: object[]): this {
    return this.send(packets.map((packet) => packetOf(packet)).join(''));
  }

  /** Says the end of its input, as `shutdown(SHUT_WR)` does. */
  end(): this {
    this.socket.end();
    return this;
  }

  /** So many lines, waited for; there must be no more. */
  async linesCome(count: number): Promise<Json[]> {
    await until(() => this.lines.length >= count, `${count} lines came`);
    return this.lines;
  }

  async packetsCome(count: number): Promise<Json[]> {
    await until(() => this.packets.length >= count, `${count} packets came`);
    return this.packets;
  }

  async textComes(text: string): Promise<void> {
    await until(() => this.text.length >= text.length, `${text.length} characters came`);
  }

  async ended(): Promise<void> {
    await until(() => this.hasEnded, 'the server said its end');
  }

  async closed(): Promise<void> {
    await until(() => this.isClosed, 'the connection was closed');
  }
}

/** By the page: the length counts UTF-16 units. */
export function packetOf(packet: object): string {
  const text = JSON.stringify(packet);
  return `${text.length}#${text}`;
}
