import { errorOf, type UdsError } from '../protocol/errors.js';
import type { Connection } from './connection.js';
import { pollPhase } from './poll-phase.js';

export interface ConnectionLimitSettings {
  /** Connections of one endpoint. */
  readonly maxConnections: number;
  /** How long one who has connected may be silent before its place may be given to another. */
  readonly silentGraceMs: number;
}

/**
 * Who is connected to one endpoint. One that has never said a word may stay for ever while there is room; where there is
 * none, the one that has been silent for longest makes some for whoever comes next.
 */
export class ConnectionLimit {
  readonly #open = new Set<Connection>();
  /** Those of them that had not said a word when they were last looked at, and since when; the oldest first. */
  readonly #silent = new Map<Connection, number>();
  /** Who has come last does not make room for itself; whoever is refused behind it is another. */
  #newcomer: Connection | undefined;
  #isLooking = false;

  constructor(
    private readonly settings: ConnectionLimitSettings,
    private readonly troubled: (error: UdsError) => void,
  ) {}

  add(connection: Connection): void {
    this.#open.add(connection);
    this.#silent.set(connection, performance.now());
    this.#newcomer = connection;
    // Its place is free then, also where events of it still run.
    connection.socket.once('close', () => this.#forget(connection));
    void this.#makeRoom();
  }

  #forget(connection: Connection): void {
    this.#open.delete(connection);
    this.#silent.delete(connection);
    if (this.#newcomer === connection) this.#newcomer = undefined;
  }

  /** The system has refused one on our behalf. */
  refused(): void {
    const { maxConnections } = this.settings;
    this.troubled(
      errorOf(
        'TOO_MANY_CONNECTIONS',
        `A connection was refused: ${maxConnections} are open on its endpoint (option maxConnections).`,
      ),
    );
    this.#newcomer = undefined;
    void this.#makeRoom();
  }

  async #makeRoom(): Promise<void> {
    if (this.#isLooking || !this.#isFull() || this.#longestSilent() === undefined) return;
    this.#isLooking = true;
    // After a stall of this process its first word may lie unread.
    await pollPhase();
    this.#isLooking = false;
    const connection = this.#longestSilent();
    if (connection === undefined || !this.#isFull()) return;
    this.#forget(connection);
    const { maxConnections, silentGraceMs } = this.settings;
    const error = errorOf(
      'TOO_MANY_CONNECTIONS',
      `A connection that had said nothing for ${silentGraceMs} ms made room: ${maxConnections} were open on its endpoint (options maxConnections, silentGraceMs).`,
    );
    this.troubled(error);
    connection.close(error);
  }

  #isFull(): boolean {
    return this.#open.size >= this.settings.maxConnections;
  }

  /** The one that has been silent for longest, if that is for long enough. */
  #longestSilent(): Connection | undefined {
    for (const [connection, sinceMs] of this.#silent) {
      if (connection.socket.bytesRead > 0) this.#silent.delete(connection);
      else if (connection !== this.#newcomer)
        return performance.now() - sinceMs >= this.settings.silentGraceMs ? connection : undefined;
    }
    return undefined;
  }
}
