import type { Socket } from 'node:net';
import { BaseRpcContext } from '@nestjs/microservices';
import type { Connection } from '../net/connection.js';
import type { ListenerStats } from '../net/listener.js';
import type { UdsError } from '../protocol/errors.js';
import type { Metadata } from '../protocol/payload-codec.js';

/** Who called, as its hello told it. Not proven: anybody who may connect may tell anything. */
export interface UdsPeer {
  readonly name: string;
  readonly pid: number;
  readonly version: number;
}

/** What the server counts. */
export type UdsStats = ListenerStats;

/**
 * What a handler can ask about its call, through `@Ctx()`. Nest's types ask for `@EventPattern<string>('told')` where the
 * handler of an event takes a context.
 *
 * @example
 * @MessagePattern('report')
 * async report(@Payload() id: string, @Ctx() context: UdsContext) {
 *   return await build(id, { signal: context.signal });
 * }
 */
export class UdsContext extends BaseRpcContext<[Socket, string, Metadata | undefined]> {
  #controller: AbortController | undefined;
  #reason: UdsError | undefined;

  constructor(
    private readonly connection: Connection,
    pattern: string,
    metadata: Metadata | undefined,
    private readonly deadlineMs: number,
    private readonly readStats: () => UdsStats,
  ) {
    super([connection.socket, pattern, metadata]);
  }

  /** The socket that the call came through. */
  getSocketRef(): Socket {
    return this.args[0];
  }

  /** The pattern as it came; one that is no string as its JSON text. */
  getPattern(): string {
    return this.args[1];
  }

  /** What the caller attached to the call; undefined where it attached nothing. */
  getMetadata(): Metadata | undefined {
    return this.args[2];
  }

  /**
   * Aborts when nobody waits for the answer any more: cancelled, out of time, the caller gone. Its reason is a
   * UdsError. Made on first use: an AbortController costs microseconds.
   */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /** When the caller stops waiting for the first answer; undefined where it waits for ever. */
  get deadline(): Date | undefined {
    return this.deadlineMs === Infinity ? undefined : new Date(performance.timeOrigin + this.deadlineMs);
  }

  /** Who called, as its hello told it. */
  get peer(): UdsPeer | undefined {
    const { peer, version } = this.connection.session;
    return peer && { name: peer.name, pid: peer.pid, version };
  }

  /** Connections and calls of the whole server, counted now. */
  stats(): UdsStats {
    return this.readStats();
  }

  /** For the server alone: nobody waits any more. @internal */
  abort(reason: UdsError): void {
    this.#reason = reason;
    this.#controller?.abort(reason);
  }
}
