import type { Server, Socket } from 'node:net';
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { IncomingCall } from '../protocol/call.js';
import type { DialectName } from '../protocol/dialects/dialect.js';
import { errorOf, type UdsError } from '../protocol/errors.js';
import { Connection, type ConnectionOwner } from './connection.js';
import { Endpoint, type EndpointPlace, type EndpointSettings } from './endpoint.js';
import { MemoryBudget } from './memory-budget.js';
import type { SharedReading } from './read-gate.js';
import { Readers } from './read-turn.js';
import { pollPhase } from './poll-phase.js';

/**
 * How long nobody may have come before a server stops accepting whose path is away: who connected before that may still be
 * on the way into its queue. Closing at once was measured to reset some 25 of 5,000 fresh clients, 20 ms later none.
 */
const ACCEPT_QUIET_MS = 20;

export interface ListenerSettings extends EndpointSettings {
  readonly endpoints: readonly EndpointPlace[];
  /** How long a closing server waits for the first word of who has connected. */
  readonly silentDrainMs: number;
  /** What all connections together may hold; undefined: as much as the heap has room for. */
  readonly maxTotalBufferedBytes: number | undefined;
}

/** Who runs the calls that come in. */
export interface ListenerOwner {
  called(connection: Connection, call: IncomingCall): void;
  /** A call was refused, or a connection ended by an error: worth one line of log. */
  troubled(error: UdsError, connection: Connection | undefined): void;
  /** Another server has the place of this one, and asks it to go. */
  takenOver(): void;
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
  readonly #shared: SharedReading;
  #listening: Promise<void> | undefined;
  /** Calls served on connections that are gone. */
  #servedBefore = 0;
  /** Connections that ever came. */
  #accepted = 0;
  #isDraining = false;
  #isCut = false;
  /** Those that have said that a server takes this one's place: the end of such a one may be that server's death behind its rename. */
  readonly #heralds = new Set<Connection>();
  /** How often there was reason to look whether another server has this one's place. */
  #asked = 0;
  #isLooking = false;
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
    this.#shared = { memory: new MemoryBudget(settings.maxTotalBufferedBytes), readers: new Readers() };
    this.#endpoints = settings.endpoints.map((place) => new Endpoint(place, settings, endpointOwner));
    this.#connectionOwner = {
      // Whoever was on the way as the path went is served too, and then told.
      opened: (connection) => {
        if (this.#isDraining) connection.leave();
      },
      called: (connection, call) => owner.called(connection, call),
      refused: (connection, error) => owner.troubled(error, connection),
      takenOver: (connection) => {
        this.#heralds.add(connection);
        void this.#goIfReplaced();
      },
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

  get isClosing(): boolean {
    return this.#closing !== undefined;
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

  /** Listens on all endpoints, or on none. @throws what `Endpoint.bind` and `publish` say. */
  listen(): Promise<void> {
    this.#listening = this.#publish();
    return this.#listening;
  }

  async #publish(): Promise<void> {
    // In the order of the paths: two servers that lock the same ones then wait for each other one way only.
    const inOrder = [...this.#endpoints].sort((a, b) =>
      resolve(a.place.path) < resolve(b.place.path) ? -1 : 1,
    );
    const bound: Endpoint[] = [];
    try {
      for (const endpoint of inOrder) {
        await endpoint.bind();
        bound.push(endpoint);
      }
      // What can't be had any more is known before anybody's place is taken.
      bound.sort((one, other) => Number(other.isFirst) - Number(one.isFirst));
      for (const endpoint of bound) await endpoint.publish();
    } catch (error) {
      await Promise.all(bound.map(async (endpoint) => await endpoint.withdraw()));
      this.#cut();
      throw error;
    }
    for (const endpoint of inOrder) void endpoint.dismissPredecessor();
  }

  /** Anybody may ask; only who could put a file in the place of ours is believed. */
  async #goIfReplaced(): Promise<void> {
    this.#asked += 1;
    if (this.#isLooking) return;
    this.#isLooking = true;
    let before: number;
    do {
      // Whoever asks while we look may have put its file there behind our look.
      before = this.#asked;
      if ((await this.#isReplaced()) && !this.isClosing) this.owner.takenOver();
    } while (before !== this.#asked && !this.isClosing);
    this.#isLooking = false;
  }

  async #isReplaced(): Promise<boolean> {
    const answers = await Promise.all(this.#endpoints.map(async (endpoint) => await endpoint.isReplaced()));
    return answers.includes(true);
  }

  /**
   * Takes the paths away, lets what runs come to its end, and closes. What is not done after closeTimeoutMs is cut.
   */
  close(): Promise<void> {
    this.#closing ??= this.#drain();
    return this.#closing;
  }

  async #drain(): Promise<void> {
    const { closeTimeoutMs, silentDrainMs } = this.settings;
    // A close in the middle of listen must not leave the file that listen is about to publish.
    await this.#listening?.catch(() => undefined);
    const timer = setTimeout(() => this.#cutLate(), closeTimeoutMs);
    await Promise.all(this.#endpoints.map(async (endpoint) => await endpoint.removeFile()));
    this.#isDraining = true;
    for (const connection of this.#connections.keys()) connection.leave();
    await this.#acceptUntilQuiet();
    const areClosed = Promise.all(this.#endpoints.map(async (endpoint) => await endpoint.close()));
    const silence = setTimeout(() => void this.#endSilent(), silentDrainMs);
    while (this.#connections.size > 0 && !this.#isCut) {
      await new Promise<void>((settled) => {
        this.#onSettled = settled;
      });
    }
    clearTimeout(timer);
    clearTimeout(silence);
    await areClosed;
  }

  /** The path is away, so nobody can join the queue: whoever is in it, or on the way into it, is taken. */
  async #acceptUntilQuiet(): Promise<void> {
    for (let before = -1; before !== this.#accepted && !this.#isCut;) {
      before = this.#accepted;
      await delay(ACCEPT_QUIET_MS);
      // A loop that was held up rings before it has accepted who came meanwhile.
      await pollPhase();
    }
  }

  /** Who never said a word has nothing to finish. */
  async #endSilent(): Promise<void> {
    // After a stall of this process the word may lie in the socket.
    await pollPhase();
    for (const connection of this.#connections.keys())
      if (!connection.session.hasBegun) connection.close(serverClosing());
  }

  #cutLate(): void {
    const { callsInFlight, connections } = this.stats;
    const { closeTimeoutMs } = this.settings;
    if (connections + callsInFlight > 0) {
      const lost = `${connections} connections with ${callsInFlight} calls were cut`;
      const reason = `${lost}: they were not done ${closeTimeoutMs} ms after the server began to close (option closeTimeoutMs).`;
      this.owner.troubled(errorOf('SERVER_CLOSING', reason), undefined);
    }
    this.#cut();
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
    if (this.#isCut) {
      // Nobody would end it any more.
      socket.destroy();
      return;
    }
    this.#accepted += 1;
    const connection = new Connection(
      socket,
      this.settings,
      this.#connectionOwner,
      endpoint.menu,
      this.#shared,
    );
    this.#connections.set(connection, endpoint);
    endpoint.connections.add(connection);
  }

  #closed(connection: Connection, error: UdsError | undefined): void {
    if (error !== undefined) this.owner.troubled(error, connection);
    if (this.#heralds.delete(connection)) void this.#goIfReplaced();
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
