import { setMaxListeners } from 'node:events';
import type { CallRequest, Caller } from '../protocol/call.js';
import { errorOf, type UdsError } from '../protocol/errors.js';
import { deadlineExceeded } from '../protocol/outgoing-calls.js';
import { ChannelCall, type WaitingRoom } from './channel-call.js';
import { ConnectionPool } from './connection-pool.js';
import type { Connection, ConnectionOwner } from './connection.js';
import { redial, type RedialSettings } from './redial.js';
import { WaitQueue } from './wait-queue.js';

export interface ChannelSettings extends RedialSettings {
  /** How many connections the calls are spread over. */
  readonly connections: number;
  /** Calls and events that may wait to be written. */
  readonly maxQueuedCalls: number;
}

export interface ChannelOwner {
  connected(connection: Connection): void;
  disconnected(error: UdsError | undefined): void;
}

/**
 * A client's way to its server: the connections that calls are spread over, dialled when they are needed; calls that
 * wait, in order; and connections that take no more calls and end with their last one.
 */
export class Channel {
  readonly #queue: WaitQueue<ChannelCall>;
  /** Events on their way into the kernel; what may be packed is bounded by their credit. */
  readonly #unwritten: WaitQueue<ChannelCall>;
  readonly #room: WaitingRoom;
  readonly #connectionOwner: ConnectionOwner;
  readonly #leaving = new Set<Connection>();
  readonly #pool = new ConnectionPool();
  #dialing: Promise<void> | undefined;
  /** When a connection that could not be had is tried for again, while others serve. */
  #nextDialAtMs = 0;
  #stopDialing: AbortController | undefined;
  #closing: Promise<void> | undefined;
  #onSettled: (() => void) | undefined;

  constructor(
    private readonly settings: ChannelSettings,
    private readonly owner: ChannelOwner,
  ) {
    const expired = (call: ChannelCall): void => {
      call.fail(deadlineExceeded());
      this.#settle();
    };
    this.#queue = new WaitQueue(settings.maxQueuedCalls, expired);
    this.#unwritten = new WaitQueue(Infinity, expired);
    this.#room = {
      leave: (call) => {
        this.#queue.delete(call);
        this.#settle();
      },
      startWriting: (event) => void this.#unwritten.add(event),
      endWriting: (event) => this.#unwritten.delete(event),
    };
    this.#connectionOwner = {
      opened: (connection) => this.#opened(connection),
      called: () => undefined,
      refused: () => undefined,
      left: (connection) => this.#retire(connection),
      freed: () => this.#advance(),
      closed: (connection, error) => this.#closed(connection, error),
    };
  }

  /** The connections that new calls go to. */
  get connections(): readonly Connection[] {
    return this.#pool.connections;
  }

  /** Resolves when the server has answered the hello of each connection. @throws what `redial` says. */
  async connect(): Promise<void> {
    if (this.#missing > 0) await this.#dial();
  }

  /** Sends a request at once where the connection can take it, else queues it. Errors reach the caller. */
  request(request: CallRequest, caller: Caller): ChannelCall {
    return this.#submit(new ChannelCall(request, caller, () => undefined, this.#room));
  }

  /** The same for an event; `written` is called once the kernel has it, or with the reason why it never will. */
  emit(event: CallRequest, written: (error: UdsError | undefined) => void): ChannelCall {
    return this.#submit(new ChannelCall(event, undefined, written, this.#room));
  }

  /**
   * Lets what waits and runs come to its end, then closes. What is not done after closeTimeoutMs fails with
   * CLIENT_CLOSED. A later call connects again.
   */
  close(): Promise<void> {
    this.#closing ??= this.#drain().finally(() => {
      this.#closing = undefined;
    });
    return this.#closing;
  }

  #submit(call: ChannelCall): ChannelCall {
    const connection = this.#queue.size === 0 ? this.#pool.choose(call) : undefined;
    if (connection === undefined) this.#enqueue(call);
    else call.writeTo(connection);
    // The cheap question first: #dialIfMissing counts those that are alive.
    if (connection === undefined || this.#pool.size < this.settings.connections) this.#dialIfMissing();
    return call;
  }

  #enqueue(call: ChannelCall): void {
    const { maxQueuedCalls } = this.settings;
    if (!this.#queue.add(call)) {
      const reason = `${maxQueuedCalls} calls wait to be sent already (option maxQueuedCalls): await answers before sending more.`;
      call.fail(errorOf('QUEUE_FULL', reason));
      return;
    }
    try {
      call.encodePayload();
    } catch (error) {
      this.#queue.delete(call);
      call.fail(error as UdsError);
    }
  }

  get #missing(): number {
    return this.settings.connections - this.#pool.liveCount;
  }

  /** Writes what waits, in order, as far as the connections take it. */
  #advance(): void {
    for (let call = this.#queue.first; call !== undefined; call = this.#queue.first) {
      const connection = this.#pool.choose(call);
      if (connection === undefined) break;
      this.#queue.delete(call);
      call.writeTo(connection);
    }
    this.#settle();
  }

  /** What the attempt fails with reaches the queued calls. */
  #dialIfMissing(): void {
    const missing = this.#missing;
    if (missing === 0) return;
    const othersServe = missing < this.settings.connections;
    if (othersServe && performance.now() < this.#nextDialAtMs) return;
    this.#dial().catch(() => undefined);
  }

  /** Calls wait and nobody takes them. */
  #dialIfStranded(): void {
    if (this.#queue.size > 0 && this.#pool.liveCount === 0) this.#dial().catch(() => undefined);
  }

  #dial(): Promise<void> {
    this.#dialing ??= this.#dialMissing().finally(() => {
      this.#dialing = undefined;
      // What was dialled may be lost by now.
      this.#dialIfStranded();
      this.#settle();
    });
    return this.#dialing;
  }

  async #dialMissing(): Promise<void> {
    const stop = new AbortController();
    this.#stopDialing = stop;
    // Each attempt listens to it: that many are no leak.
    setMaxListeners(0, stop.signal);
    const attempts = Array.from({ length: this.#missing }, () =>
      redial(this.settings, this.#connectionOwner, stop.signal),
    );
    const results = await Promise.allSettled(attempts);
    const failed = results.find((result) => result.status === 'rejected');
    if (failed === undefined) return;
    this.#nextDialAtMs = performance.now() + this.settings.connectTimeoutMs;
    if (this.#pool.liveCount === 0) {
      this.owner.disconnected(failed.reason as UdsError);
      this.#failQueued(failed.reason as UdsError);
    }
    throw failed.reason;
  }

  #opened(connection: Connection): void {
    this.#pool.add(connection);
    this.owner.connected(connection);
    this.#advance();
  }

  /** The connection takes no more calls: those that come next go to another one. */
  #retire(connection: Connection): void {
    this.#pool.delete(connection);
    this.#leaving.add(connection);
    connection.leave();
    this.#dialIfStranded();
  }

  #closed(connection: Connection, error: UdsError | undefined): void {
    this.#leaving.delete(connection);
    this.#pool.delete(connection);
    if (this.#pool.size === 0) this.owner.disconnected(error);
    this.#dialIfStranded();
    this.#settle();
  }

  #failQueued(error: UdsError): void {
    for (let call = this.#queue.first; call !== undefined; call = this.#queue.first) {
      this.#queue.delete(call);
      call.fail(error);
    }
  }

  async #drain(): Promise<void> {
    const { closeTimeoutMs } = this.settings;
    const timer = setTimeout(() => this.#cut(), closeTimeoutMs);
    while (this.#queue.size > 0 || this.#dialing !== undefined) {
      // A connection that no call waits for is not worth waiting for either.
      if (this.#queue.size === 0) this.#stopDialing?.abort();
      await this.#nextSettling();
    }
    for (const connection of [...this.#pool.connections]) this.#retire(connection);
    while (this.#leaving.size > 0) await this.#nextSettling();
    clearTimeout(timer);
  }

  #cut(): void {
    const { closeTimeoutMs } = this.settings;
    const error = errorOf(
      'CLIENT_CLOSED',
      `The client was closed before the call ended (closeTimeoutMs ${closeTimeoutMs}).`,
    );
    this.#stopDialing?.abort();
    this.#failQueued(error);
    for (const connection of [...this.#leaving, ...this.#pool.connections]) connection.close(error);
  }

  #nextSettling(): Promise<void> {
    return new Promise((resolve) => {
      this.#onSettled = resolve;
    });
  }

  #settle(): void {
    const settled = this.#onSettled;
    this.#onSettled = undefined;
    settled?.();
  }
}
