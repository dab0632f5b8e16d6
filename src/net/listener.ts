import { createServer, type Server, type Socket } from 'node:net';
import type { IncomingCall } from '../protocol/call.js';
import { errorOf, UdsError } from '../protocol/errors.js';
import { Connection, type ConnectionOwner, type ConnectionSettings } from './connection.js';
import { dial } from './dialer.js';
import { publishSocketFile, type SocketFile, type SocketFileSettings } from './socket-file.js';

export interface ListenerSettings extends ConnectionSettings, SocketFileSettings {
  readonly maxConnections: number;
  /** How long an existing socket file is asked who lives there. */
  readonly probeTimeoutMs: number;
}

/** Who runs the calls that come in. */
export interface ListenerOwner {
  called(connection: Connection, call: IncomingCall): void;
  /** A call was refused, or a connection ended by an error: worth one line of log. */
  troubled(error: UdsError, connection: Connection | undefined): void;
}

/** What a server counts. */
export interface ListenerStats {
  readonly connections: number;
  readonly callsServed: number;
  readonly callsInFlight: number;
}

/** One socket file and the connections that came through it. */
export class Listener {
  readonly server: Server;
  /** Those that are open, and those that have gone while events of theirs still run. */
  readonly #connections = new Set<Connection>();
  readonly #connectionOwner: ConnectionOwner;
  #listening: Promise<void> | undefined;
  #file: SocketFile | undefined;
  /** Calls served on connections that are gone. */
  #servedBefore = 0;
  #isCut = false;
  #closing: Promise<void> | undefined;
  #onSettled: (() => void) | undefined;

  constructor(
    private readonly settings: ListenerSettings,
    private readonly owner: ListenerOwner,
  ) {
    this.server = createServer((socket) => this.#accept(socket));
    this.server.maxConnections = settings.maxConnections;
    this.server.on('drop', () => {
      const { maxConnections } = settings;
      owner.troubled(
        errorOf(
          'TOO_MANY_CONNECTIONS',
          `A connection was refused: ${maxConnections} are open (option maxConnections).`,
        ),
        undefined,
      );
    });
    this.#connectionOwner = {
      opened: () => undefined,
      called: (connection, call) => owner.called(connection, call),
      refused: (connection, error) => owner.troubled(error, connection),
      left: () => undefined,
      freed: (connection) => this.#forgetIfDone(connection),
      closed: (connection, error) => this.#closed(connection, error),
    };
  }

  /** Whether it was never asked to listen. */
  get isFresh(): boolean {
    return this.#listening === undefined && this.#closing === undefined;
  }

  get stats(): ListenerStats {
    let connections = 0;
    let callsServed = this.#servedBefore;
    let callsInFlight = 0;
    for (const connection of this.#connections) {
      const { incoming } = connection.session;
      if (!connection.isOver) connections += 1;
      callsServed += incoming.served;
      callsInFlight += incoming.size + incoming.eventsRunning;
    }
    return { connections, callsServed, callsInFlight };
  }

  /** @throws what `publishSocketFile` says. */
  listen(): Promise<void> {
    this.#listening = this.#publish();
    return this.#listening;
  }

  async #publish(): Promise<void> {
    this.#file = await publishSocketFile(this.server, this.settings, (path) => this.#probe(path));
    // From here on an error of the server is no error of listening; without a listener it would end the process.
    this.server.on('error', (error) =>
      this.owner.troubled(errorOf('LISTEN_FAILED', error.message, error), undefined),
    );
  }

  /**
   * Takes the path away, lets what runs come to its end, and closes. What is not done after closeTimeoutMs is cut.
   */
  close(): Promise<void> {
    this.#closing ??= this.#drain();
    return this.#closing;
  }

  async #drain(): Promise<void> {
    const { closeTimeoutMs } = this.settings;
    // A close in the middle of listen must not leave the file that listen is about to publish.
    await this.#listening?.catch(() => undefined);
    await this.#removeFile();
    const isClosed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    const timer = setTimeout(() => this.#cut(), closeTimeoutMs);
    for (const connection of this.#connections) this.#ask(connection);
    while (this.#connections.size > 0 && !this.#isCut) {
      await new Promise<void>((resolve) => {
        this.#onSettled = resolve;
      });
    }
    clearTimeout(timer);
    await isClosed;
  }

  /** A file that can't be removed is worth a line of log; it must not keep the server from closing. */
  async #removeFile(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    try {
      await file?.remove();
    } catch (error) {
      const { path } = this.settings;
      const reason = (error as NodeJS.ErrnoException).code ?? String(error);
      const message = `The socket file ${path} can not be removed: the system says ${reason}. It is stale now.`;
      this.owner.troubled(errorOf('LISTEN_FAILED', message, error), undefined);
    }
  }

  /** Asks a peer to leave; one that never said hello has nothing to finish. */
  #ask(connection: Connection): void {
    if (connection.session.peer === undefined) connection.close(serverClosing());
    else connection.leave();
  }

  #cut(): void {
    this.#isCut = true;
    for (const connection of this.#connections) {
      connection.session.goAwayFinally(serverClosing());
      connection.close(serverClosing());
    }
    this.#settle();
  }

  #accept(socket: Socket): void {
    this.#connections.add(new Connection(socket, this.settings, this.#connectionOwner));
  }

  #closed(connection: Connection, error: UdsError | undefined): void {
    if (error !== undefined) this.owner.troubled(error, connection);
    this.#forgetIfDone(connection);
  }

  #forgetIfDone(connection: Connection): void {
    const { incoming } = connection.session;
    if (connection.isOver && incoming.eventsRunning === 0 && this.#connections.delete(connection)) {
      this.#servedBefore += incoming.served;
      this.#settle();
    }
  }

  #settle(): void {
    const settled = this.#onSettled;
    this.#onSettled = undefined;
    settled?.();
  }

  /** Connects and says hello: an answer, silence and a full queue all mean that somebody lives there. */
  async #probe(path: string): Promise<'stale' | { pid: number | undefined }> {
    let pid: number | undefined;
    const ignore = (): void => undefined;
    const owner: ConnectionOwner = {
      opened: (connection) => {
        pid = connection.session.peer?.pid;
        connection.leave();
      },
      called: ignore,
      refused: ignore,
      left: ignore,
      freed: ignore,
      closed: ignore,
    };
    try {
      await dial(path, { ...this.settings, role: 'client' }, owner, this.settings.probeTimeoutMs);
    } catch (error) {
      if (!(error instanceof UdsError)) throw error;
      if (error.code === 'CONNECTION_REFUSED' || error.code === 'SERVER_NOT_FOUND') return 'stale';
      if (error.code === 'PERMISSION_DENIED') throw error;
    }
    return { pid };
  }
}

const serverClosing = (): UdsError => errorOf('SERVER_CLOSING', 'The server is closing.');
