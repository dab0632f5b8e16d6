import type { Socket } from 'node:net';

/** What `server.on` listens to: events of the `net.Server`. */
export interface UdsServerEvents {
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
