import { setTimeout as delay } from 'node:timers/promises';
import type { CallRequest, Caller } from '../protocol/call.js';
import { errorOf, type UdsError } from '../protocol/errors.js';
import { deadlineExceeded } from '../protocol/outgoing-calls.js';
import { backoffDelayMs, type BackoffSettings } from './backoff.js';
import { ChannelCall, type WaitingRoom } from './channel-call.js';
import type { Connection, ConnectionOwner, ConnectionSettings } from './connection.js';
import { dial, isWorthRetrying } from './dialer.js';
import { WaitQueue } from './wait-queue.js';

export interface ChannelSettings extends ConnectionSettings, BackoffSettings {
  readonly path: string;
  /** How long calls wait for a server that is not there. */
  readonly connectTimeoutMs: number;
  /** Calls and events that may wait to be written. */
  readonly maxQueuedCalls: number;
}

export interface ChannelOwner {
  connected(connection: Connection): void;
  disconnected(error: UdsError | undefined): void;
}

/**
 * A client's way to its server: one current connection, dialled when it is needed; calls that wait, in order; and
 * connections that take no more calls and end with their last one.
 */
export class Channel {
  readonly #queue: WaitQueue<ChannelCall>;
  /** Events on their way into the kernel; what may be packed is bounded by their credit. */
  readonly #unwritten: WaitQueue<ChannelCall>;
  readonly #room: WaitingRoom;
  readonly #connectionOwner: ConnectionOwner;
  readonly #leaving = new Set<Connection>();
  #current: Connection | undefined;
  #dialing: Promise<void> | undefined;
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

  /** The connection that new calls go to, if it stands. */
  get current(): Connection | undefined {
    return this.#current;
  }

  /** Resolves when the server has answered a hello. @throws what `dial` says, within connectTimeoutMs. */
  async connect(): Promise<void> {
    if (this.#live === undefined) await this.#dial();
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
    const current = this.#live;
    if (current !== undefined && this.#queue.size === 0 && call.canBeWrittenTo(current)) {
      call.writeTo(current);
    } else if (!this.#queue.add(call)) {
      const { maxQueuedCalls } = this.settings;
      call.fail(
        errorOf(
          'QUEUE_FULL',
          `${maxQueuedCalls} calls wait to be sent already (option maxQueuedCalls): await answers before sending more.`,
        ),
      );
    } else if (current === undefined) {
      // What the attempt fails with reaches the queued calls.
      this.#dial().catch(() => undefined);
    }
    return call;
  }

  /** The current connection, unless it has ended and only its socket's last event is still to come. */
  get #live(): Connection | undefined {
    return this.#current?.canWrite === true ? this.#current : undefined;
  }

  /** Writes what waits, in order, as far as the connection takes it. */
  #advance(): void {
    const current = this.#current;
    for (
      let call = this.#queue.first;
      current !== undefined && call !== undefined;
      call = this.#queue.first
    ) {
      if (!call.canBeWrittenTo(current)) break;
      this.#queue.delete(call);
      call.writeTo(current);
    }
    this.#settle();
  }

  #dial(): Promise<void> {
    this.#dialing ??= this.#dialUntilTimeout().finally(() => {
      this.#dialing = undefined;
      this.#settle();
    });
    return this.#dialing;
  }

  async #dialUntilTimeout(): Promise<void> {
    const { path, connectTimeoutMs } = this.settings;
    const stop = new AbortController();
    this.#stopDialing = stop;
    const endsAtMs = performance.now() + connectTimeoutMs;
    let failure: UdsError | undefined;
    for (let attempt = 0; ; attempt += 1) {
      const timeoutMs = Math.max(1, endsAtMs - performance.now());
      try {
        await dial(path, this.settings, this.#connectionOwner, timeoutMs, stop.signal);
        return;
      } catch (error) {
        // Where the end of the time cuts a late attempt short, the one before it says more.
        const isCut = (error as UdsError).code === 'HELLO_TIMEOUT' && timeoutMs < connectTimeoutMs / 2;
        if (failure === undefined || !isCut) failure = error as UdsError;
        const delayMs = backoffDelayMs(attempt, this.settings, Math.random());
        const isLate = performance.now() + delayMs >= endsAtMs;
        if (isLate || stop.signal.aborted || !isWorthRetrying(failure)) {
          this.#failQueued(failure);
          throw failure;
        }
        await delay(delayMs, undefined, { signal: stop.signal }).catch(() => undefined);
      }
    }
  }

  #opened(connection: Connection): void {
    this.#current = connection;
    this.owner.connected(connection);
    this.#advance();
  }

  /** The connection takes no more calls: those that come next go to another one. */
  #retire(connection: Connection): void {
    if (this.#current === connection) this.#current = undefined;
    this.#leaving.add(connection);
    connection.leave();
    if (this.#queue.size > 0) this.#dial().catch(() => undefined);
  }

  #closed(connection: Connection, error: UdsError | undefined): void {
    this.#leaving.delete(connection);
    if (this.#current === connection) this.#current = undefined;
    if (this.#current === undefined) this.owner.disconnected(error);
    if (this.#queue.size > 0 && this.#current === undefined) this.#dial().catch(() => undefined);
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
    if (this.#current !== undefined) this.#retire(this.#current);
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
    for (const connection of this.#leaving) connection.close(error);
    this.#current?.close(error);
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
