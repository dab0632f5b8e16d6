import type { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';

/** What `server.on` listens to: `takeover`, and events of the `net.Server` of each endpoint. */
export interface UdsServerEvents {
  /** Another process has the socket file now: this server finishes what it has and closes. */
  takeover: () => void;
  connection: (socket: Socket) => void;
  listening: () => void;
  close: () => void;
  error: (error: Error) => void;
  [event: string]: (...args: never[]) => void;
}

/** What `client.on` listens to: `connect`, and events of each socket that connects. */
export interface UdsClientEvents {
  connect: () => void;
  end: () => void;
  drain: () => void;
  close: (hadError: boolean) => void;
  error: (error: Error) => void;
  [event: string]: (...args: never[]) => void;
}

/** One subscription, kept until there is something to listen to. */
export interface EventSubscription {
  readonly event: string;
  readonly callback: (...args: unknown[]) => void;
}

/** What a server's application listens to. */
export class ServerSubscriptions {
  #subscriptions: EventSubscription[] = [];

  /** @param servers those that are there already. */
  add(subscription: EventSubscription, servers: readonly EventEmitter[]): void {
    this.#subscriptions.push(subscription);
    for (const server of servers) attach(server, subscription);
  }

  attachAll(servers: readonly EventEmitter[]): void {
    for (const server of servers)
      for (const subscription of this.#subscriptions) attach(server, subscription);
  }

  /** @param failed hears what a listener throws; the others hear all the same. */
  tellTakeover(failed: (error: unknown) => void): void {
    for (const { event, callback } of this.#subscriptions) {
      if (event !== 'takeover') continue;
      try {
        callback();
      } catch (error) {
        failed(error);
      }
    }
  }

  clear(): void {
    this.#subscriptions = [];
  }
}

function attach(server: EventEmitter, { event, callback }: EventSubscription): void {
  if (event !== 'takeover') server.on(event, callback);
}
