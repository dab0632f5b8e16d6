import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterThisTest } from './cleanup.js';
import { FrameReader, type RawFrame } from './raw-frames.js';
import { tempFolder } from './temp.js';
import { until } from './wait.js';

/** Types of frames, by the page. */
export const TYPE = {
  REQUEST: 3,
  EVENT: 4,
  RESPONSE: 5,
  NEXT: 6,
  ERROR: 8,
  CANCEL: 9,
  PING: 11,
  PONG: 12,
  GOAWAY: 13,
};

/** One connection, one way: where its bytes go, and those that are held back. */
interface Lane {
  readonly to: Socket;
  readonly reader: FrameReader;
  held: Buffer[];
  hasEnded: boolean;
}

/** One way of the tap. Frames are kept as they come in, so also those that are held back. */
export class Way {
  readonly #lanes: Lane[] = [];
  #isHeld = false;

  /** All frames so far; of several connections those of the older one first. */
  get frames(): readonly RawFrame[] {
    return this.#lanes.flatMap(({ reader }) => reader.frames);
  }

  of(type: number): RawFrame[] {
    return this.frames.filter((frame) => frame.type === type);
  }

  /** The first frame of a type (and call), waited for. */
  async frame(type: number, id?: number): Promise<RawFrame> {
    const find = (): RawFrame | undefined =>
      this.of(type).find((frame) => id === undefined || frame.id === id);
    await until(() => find() !== undefined, `a frame of type ${type} came by`);
    return find()!;
  }

  /** Lets nothing more through, the end of the input included. */
  hold(): void {
    this.#isHeld = true;
  }

  /** Lets all through that was held back, in one write a connection. */
  release(): void {
    this.#isHeld = false;
    for (const lane of this.#lanes) {
      if (lane.held.length > 0) lane.to.write(Buffer.concat(lane.held.splice(0)));
      if (lane.hasEnded) lane.to.end();
    }
  }

  /** Reads without a pause, however slow the other side: all is kept anyway. */
  carry(from: Socket, to: Socket): void {
    const lane: Lane = { to, reader: new FrameReader(), held: [], hasEnded: false };
    this.#lanes.push(lane);
    from.on('data', (chunk: Buffer) => {
      lane.reader.read(chunk);
      if (this.#isHeld) lane.held.push(chunk);
      else to.write(chunk);
    });
    from.on('end', () => {
      lane.hasEnded = true;
      if (!this.#isHeld) to.end();
    });
    from.on('error', () => undefined);
    // Without an end before, the connection was broken off.
    from.on('close', () => {
      if (!lane.hasEnded) to.destroy();
    });
  }
}

/**
 * Stands between a real client and a real server, on a path of its own, and shows the frames that pass. Closed after
 * the test.
 */
export class WireTap {
  /** From the client to the server. */
  readonly sent = new Way();
  /** From the server to the client. */
  readonly received = new Way();
  readonly #sockets: Socket[] = [];

  private constructor(
    readonly path: string,
    private readonly server: Server,
  ) {}

  /** @param serverPath is connected to once for each connection that comes. */
  static async before(serverPath: string): Promise<WireTap> {
    const path = join(tempFolder(), 'tap.sock');
    const server = createServer({ allowHalfOpen: true });
    const tap = new WireTap(path, server);
    server.on('connection', (client) =>
      tap.#join(client, connect({ path: serverPath, allowHalfOpen: true })),
    );
    server.listen(path);
    await once(server, 'listening');
    afterThisTest(() => tap.close());
    return tap;
  }

  /** The id of the first request with this pattern, waited for. */
  async callId(pattern: string): Promise<number> {
    const find = (): RawFrame | undefined =>
      this.sent.of(TYPE.REQUEST).find((frame) => patternOf(frame) === pattern);
    await until(() => find() !== undefined, `a request of ${pattern} came by`);
    return find()!.id;
  }

  /** What the client sent of its calls, each as type and id. */
  get calls(): [type: number, id: number][] {
    return this.sent.frames
      .filter(({ type }) => type === TYPE.REQUEST || type === TYPE.CANCEL)
      .map(({ type, id }) => [type, id]);
  }

  /** What the server sent for one call. */
  answersTo(id: number): RawFrame[] {
    return this.received.frames.filter((frame) => frame.id === id && frame.type !== TYPE.PONG);
  }

  /** Breaks all connections off. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.cut();
    await closed;
  }

  #join(client: Socket, server: Socket): void {
    this.#sockets.push(client, server);
    this.sent.carry(client, server);
    this.received.carry(server, client);
  }
}

/** The pattern of a REQUEST or EVENT. */
function patternOf({ body }: RawFrame): string {
  return body.subarray(12, 12 + body.readUInt16BE(8)).toString();
}
