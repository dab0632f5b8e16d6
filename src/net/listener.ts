import type { Server, Socket } from 'node:net';
import type { IncomingCall } from '../protocol/call.js';
import type { DialectName } from '../protocol/dialects/dialect.js';
import { errorOf, type UdsError } from '../protocol/errors.js';
import { Connection, type ConnectionOwner } from './connection.js';
import { Endpoint, type EndpointPlace, type EndpointSettings } from './endpoint.js';

export interface ListenerSettings extends EndpointSettings {
  readonly endpoints: readonly EndpointPlace[];
}

/** Who runs the calls that come in. */
export interface ListenerOwner {
  called(connection: Connection, call: IncomingCall): void;
  /** A call was refused, or a connection ended by an error: worth one line of log. */
  troubled(error: UdsError, connection: Connection | undefined): void;
}

/** One of the places where a server is reached, and who is there. */
export interface EndpointStats {
  readonly path: string;
  readonly dialects: readonly DialectName[];
  /** Of `raw`: the pattern that its bytes are for. */
  readonly pattern?: string;
  readonly connections: number;
}

/** What a server counts. */
export interface ListenerStats {
  readonly connections: number;
  readonly callsServed: number;
  readonly callsInFlight: number;
  readonly endpoints: readonly EndpointStats[];
}

/** The endpoints of one server, and the connections that came through them. */
export class Listener {
  readonly #endpoints: readonly Endpoint[];
  /** Those that are open, and those that have gone while events of theirs still run. */
  readonly #connections = new Map<Connection, Endpoint>();
  readonly #connectionOwner: ConnectionOwner;
  #listening: Promise<void> | undefined;
  /** Calls served on connections that are gone. */
  #servedBefore = 0;
  #isCut = false;
  #closing: Promise<void> | undefined;
  #onSettled: (() => void) | undefined;

  constructor(
    private readonly settings: ListenerSettings,
    private readonly owner: ListenerOwner,
  ) {
    const endpointOwner = {
      accepted: (socket: Socket, endpoint: Endpoint) => this.#accept(socket, endpoint),
      troubled: (error: UdsError) => owner.troubled(error, undefined),
    };
    this.#endpoints = settings.endpoints.map((place) => new Endpoint(place, settings, endpointOwner));
    this.#connectionOwner = {
      opened: () => undefined,
      called: (connection, call) => owner.called(connection, call),
      refused: (connection, error) => owner.troubled(error, connection),
      left: () => undefined,
      freed: (connection) => this.#forgetIfDone(connection),
      closed: (connection, error) => this.#closed(connection, error),
    };
  }

  /** In the order of the endpoints. */
  get servers(): readonly Server[] {
    return this.#endpoints.map(({ server }) => server);
  }

  /** Whether it was never asked to listen. */
  get isFresh(): boolean {
    return this.#listening === undefined && this.#closing === undefined;
  }

  get stats(): ListenerStats {
    let connections = 0;
    let callsServed = this.#servedBefore;
    let callsInFlight = 0;
    const open = new Map<Endpoint, number>();
    for (const [connection, endpoint] of this.#connections) {
      const { incoming } = connection.session;
      callsServed += incoming.served;
      callsInFlight += incoming.size + incoming.eventsRunning;
      if (connection.isOver) continue;
      connections += 1;
      open.set(endpoint, (open.get(endpoint) ?? 0) + 1);
    }
    const endpoints = this.#endpoints.map((each) => statsOf(each, open.get(each) ?? 0));
    return { connections, callsServed, callsInFlight, endpoints };
  }

  /** Listens on all endpoints, or on none. @throws what `publishSocketFile` says. */
  listen(): Promise<void> {
    this.#listening = this.#publish();
    return this.#listening;
  }

  async #publish(): Promise<void> {
    const open: Endpoint[] = [];
    try {
      for (const endpoint of this.#endpoints) {
        await endpoint.listen();
        open.push(endpoint);
      }
    } catch (error) {
      await Promise.all(open.map(async (endpoint) => await endpoint.removeFile()));
      for (const endpoint of open) void endpoint.close();
      this.#cut();
      throw error;
    }
  }

  /**
   * Takes the paths away, lets what runs come to its end, and closes. What is not done after closeTimeoutMs is cut.
   */
  close(): Promise<void> {
    this.#closing ??= this.#drain();
    return this.#closing;
  }

  async #drain(): Promise<void> {
    const { closeTimeoutMs } = this.settings;
    // A close in the middle of listen must not leave the file that listen is about to publish.
    await this.#listening?.catch(() => undefined);
    await Promise.all(this.#endpoints.map(async (endpoint) => await endpoint.removeFile()));
    const areClosed = Promise.all(this.#endpoints.map(async (endpoint) => await endpoint.close()));
    const timer = setTimeout(() => this.#cut(), closeTimeoutMs);
    for (const connection of this.#connections.keys()) this.#ask(connection);
    while (this.#connections.size > 0 && !this.#isCut) {
      await new Promise<void>((resolve) => {
        this.#onSettled = resolve;
      });
    }
    clearTimeout(timer);
    await areClosed;
  }

  /** Asks a peer to leave; one that never said a word has nothing to finish. */
  #ask(connection: Connection): void {
    if (connection.session.hasBegun) connection.leave();
    else connection.close(serverClosing());
  }

  #cut(): void {
    this.#isCut = true;
    for (const connection of this.#connections.keys()) {
      connection.session.goAwayFinally(serverClosing());
      connection.close(serverClosing());
    }
    this.#settle();
  }

  #accept(socket: Socket, endpoint: Endpoint): void {
    const connection = new Connection(socket, this.settings, this.#connectionOwner, endpoint.menu);
    this.#connections.set(connection, endpoint);
  }

  #closed(connection: Connection, error: UdsError | undefined): void {
    if (error !== undefined) this.owner.troubled(error, connection);
    this.#forgetIfDone(connection);
  }

  #forgetIfDone(connection: Connection): void {
    const { incoming } = connection.session;
    // One that is over may still read on to its peer's end: a drain has to be able to cut it.
    const isDone = connection.isOver && connection.socket.closed && incoming.eventsRunning === 0;
    if (isDone && this.#connections.delete(connection)) {
      this.#servedBefore += incoming.served;
      this.#settle();
    }
  }

  #settle(): void {
    const settled = this.#onSettled;
    this.#onSettled = undefined;
    settled?.();
  }
}

function statsOf({ place }: Endpoint, connections: number): EndpointStats {
  const { path, dialects, pattern } = place;
  return { path, dialects, ...(pattern !== undefined && { pattern }), connections };
}

const serverClosing = (): UdsError => errorOf('SERVER_CLOSING', 'The server is closing.');
