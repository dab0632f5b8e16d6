import type { ChannelCall } from './channel-call.js';
import type { Connection } from './connection.js';

/** The connections that new calls go to. */
export class ConnectionPool {
  readonly #connections: Connection[] = [];
  #turn = 0;

  get connections(): readonly Connection[] {
    return this.#connections;
  }

  get size(): number {
    return this.#connections.length;
  }

  /** Without those that have ended and whose socket has not said so yet: they stay here until it does. */
  get liveCount(): number {
    let count = 0;
    for (const connection of this.#connections) if (connection.canWrite) count += 1;
    return count;
  }

  add(connection: Connection): void {
    this.#connections.push(connection);
  }

  delete(connection: Connection): void {
    const at = this.#connections.indexOf(connection);
    if (at >= 0) this.#connections.splice(at, 1);
  }

  /** Of those that can take the call now, the one with the fewest in flight; each search begins one further. */
  choose(call: ChannelCall): Connection | undefined {
    const { length } = this.#connections;
    let chosen: Connection | undefined;
    for (let offset = 0; offset < length; offset += 1) {
      const connection = this.#connections[(this.#turn + offset) % length];
      if (connection === undefined || !call.canBeWrittenTo(connection)) continue;
      if (chosen === undefined || connection.session.outgoing.size < chosen.session.outgoing.size)
        chosen = connection;
    }
    this.#turn = (this.#turn + 1) % Math.max(1, length);
    return chosen;
  }
}
