import { createServer, type Server, type Socket } from 'node:net';
import { DialectMenu } from '../protocol/dialects/detect.js';
import type { DialectName } from '../protocol/dialects/dialect.js';
import { RawClientDialect } from '../protocol/dialects/raw.js';
import { errorOf, type UdsError } from '../protocol/errors.js';
import type { ConnectionSettings } from './connection.js';
import { probe } from './probe.js';
import { publishSocketFile, type SocketFile, type SocketFileSettings } from './socket-file.js';

/** One of the places where a server is reached. */
export interface EndpointPlace {
  readonly path: string;
  /** Permission bits of the socket file; connecting needs the write bit. */
  readonly mode: number;
  /** What is spoken there; `raw` stands alone. */
  readonly dialects: readonly DialectName[];
  /** What the bytes of `raw` are the payload of. */
  readonly pattern?: string | undefined;
}

export interface EndpointSettings extends ConnectionSettings, Omit<SocketFileSettings, 'path' | 'mode'> {
  /** Connections of one endpoint. */
  readonly maxConnections: number;
  /** How long an existing socket file is asked who lives there. */
  readonly probeTimeoutMs: number;
}

/** Who takes the connections of an endpoint, and hears of its troubles. */
export interface EndpointOwner {
  accepted(socket: Socket, endpoint: Endpoint): void;
  troubled(error: UdsError): void;
}

/** One socket file, what is spoken there, and the server that listens on it. */
export class Endpoint {
  readonly server: Server;
  readonly menu: DialectMenu;
  #file: SocketFile | undefined;

  constructor(
    readonly place: EndpointPlace,
    private readonly settings: EndpointSettings,
    private readonly owner: EndpointOwner,
  ) {
    const { dialects, pattern } = place;
    this.menu = new DialectMenu({ dialects, pattern, maxFrameBytes: settings.maxFrameBytes });
    // Half-open: in some dialects the end of the input is no more than the end of the calls.
    this.server = createServer({ allowHalfOpen: true }, (socket) => owner.accepted(socket, this));
    this.server.maxConnections = settings.maxConnections;
    this.server.on('drop', () => owner.troubled(this.#tooManyConnections()));
  }

  /** @throws what `publishSocketFile` says. */
  async listen(): Promise<void> {
    const { path, mode, pattern } = this.place;
    // Bytes that a hello is made of would be a call on a raw endpoint: there connecting is all that is asked.
    const ask = (found: string): ReturnType<typeof probe> =>
      probe(
        found,
        this.settings,
        this.settings.probeTimeoutMs,
        pattern === undefined ? undefined : new RawClientDialect(),
      );
    this.#file = await publishSocketFile(this.server, { ...this.settings, path, mode }, ask);
    // From here on an error of the server is no error of listening; without a listener it would end the process.
    this.server.on('error', (error) => this.owner.troubled(errorOf('LISTEN_FAILED', error.message, error)));
  }

  /** Takes the file away. One that can't be removed is worth a line of log; it must not keep the server from closing. */
  async removeFile(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    try {
      await file?.remove();
    } catch (error) {
      const reason = (error as NodeJS.ErrnoException).code ?? String(error);
      const message = `The socket file ${this.place.path} can not be removed: the system says ${reason}. It is stale now.`;
      this.owner.troubled(errorOf('LISTEN_FAILED', message, error));
    }
  }

  /** Accepts nobody any more; resolves when the last connection has gone. */
  close(): Promise<void> {
    return new Promise((resolve) => this.server.close(() => resolve()));
  }

  #tooManyConnections(): UdsError {
    const { maxConnections } = this.settings;
    return errorOf(
      'TOO_MANY_CONNECTIONS',
      `A connection was refused: ${maxConnections} are open on its endpoint (option maxConnections).`,
    );
  }
}
