import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { afterThisTest } from './cleanup.js';
import { FrameReader, rawFrame, type RawFrame } from './raw-frames.js';
import { until } from './wait.js';

interface RawServerOptions {
  readonly maxInFlight?: number;
  readonly maxEvents?: number;
  readonly maxFrameBytes?: number;
  /** What to do with a connection in place of answering its hello and reading. */
  readonly accept?: (socket: Socket) => void;
  /** Whether the hello is answered all the same. */
  readonly greet?: boolean;
}

/** A server that answers the hello, by the page, and nothing else: what it is sent is kept. */
export class RawServer {
  readonly sockets: Socket[] = [];
  readonly #reader = new FrameReader();

  private constructor(
    readonly path: string,
    private readonly server: Server,
  ) {}

  static async listening(path: string, options: RawServerOptions = {}): Promise<RawServer> {
    const server = createServer();
    const raw = new RawServer(path, server);
    server.on('connection', (socket) => raw.#accept(socket, options));
    server.listen(path);
    await once(server, 'listening');
    afterThisTest(() => raw.close());
    return raw;
  }

  get frames(): readonly RawFrame[] {
    return this.#reader.frames;
  }

  frame(type: number, id?: number): Promise<RawFrame> {
    return this.#reader.frame(type, id);
  }

  send(...frames: Buffer[]): void {
    this.sockets.at(-1)?.write(Buffer.concat(frames));
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  async socketsClosed(): Promise<void> {
    await until(() => this.sockets.every(({ destroyed }) => destroyed), 'all connections were closed');
  }

  #accept(socket: Socket, { accept, greet = accept === undefined, ...limits }: RawServerOptions): void {
    this.sockets.push(socket);
    socket.on('error', () => undefined);
    if (accept === undefined) socket.on('data', (chunk: Buffer) => this.#reader.read(chunk));
    else accept(socket);
    if (greet) socket.write(serverHello(limits));
  }
}

export function serverHello({
  maxInFlight = 2048,
  maxEvents = 1024,
  maxFrameBytes = 16 * 1024 ** 2,
  chosen = 1,
  features = 0,
} = {}): Buffer {
  const body = Buffer.alloc(29);
  body.write('NUDS', 0);
  body.writeUInt8(1, 4);
  body.writeUInt8(1, 5);
  body.writeUInt8(chosen, 6);
  body.writeUInt32BE(features, 8);
  body.writeUInt32BE(maxFrameBytes, 12);
  body.writeUInt32BE(maxInFlight, 16);
  body.writeUInt32BE(maxEvents, 20);
  return rawFrame({ type: 2, body });
}
