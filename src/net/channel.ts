import type { CallRequest, Caller } from '../protocol/call.js';
import { errorOf, type UdsError } from '../protocol/errors.js';
import { deadlineExceeded } from '../protocol/outgoing-calls.js';
import { ChannelCall, type WaitingRoom } from './channel-call.js';
import { ConnectionPool } from './connection-pool.js';
import type { Connection, ConnectionOwner } from './connection.js';
import { Dialing, type DialingSettings } from './dialing.js';
import { WaitQueue } from './wait-queue.js';

export interface ChannelSettings extends DialingSettings {
  /** How many connections the calls are spread over. */
  readonly connections: number;
  /** Calls and events that may wait to be written. */
  readonly maxQueuedCalls: number;
}

export interface ChannelOwner {
  connected(connection: Connection): void;
  /** No connection stands any more, or none could be had. */
  disconnected(): void;
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
  readonly #dialing: Dialing;
  /** Whether a server that is lost is to be had again: since the first call or connect(), until a close. */
  #isInUse = false;
  #closing: Promise<void> | undefined;
  #onSettled: (() => void) | undefined;

  constructor(
    private readonly settings: ChannelSettings,
    private readonly owner: ChannelOwner,
  ) {
    const expired = (call: ChannelCall): void => {
      call.fail(deadlineExceeded());
      this.#advance();
    };
    this.#queue = new WaitQueue(settings.maxQueuedCalls, expired);
    this.#unwritten = new WaitQueue(Infinity, expired);
    this.#room = {
      leave: (call) => {
        this.#queue.delete(call);
        this.#advance();
      },
      comeBack: (call) => {
        call.waitsSinceMs = performance.now();
        this.#queue.comeBack(call);
      },
      startWriting: (event) => void this.#unwritten.add(event),
      endWriting: (event) => this.#unwritten.delete(event),
    };
    this.#connectionOwner = {
      opened: (connection) => this.#opened(connection),
      called: () => undefined,
      refused: () => undefined,
      takenOver: () => undefined,
      left: (connection) => this.#retire(connection),
      freed: () => this.#advance(),
      closed: (connection) => this.#closed(connection),
    };
    this.#dialing = new Dialing(settings, this.#connectionOwner, {
      missing: () => this.#missing,
      outOfPatience: (sinceMs, error) => this.#failWaiting(sinceMs, error),
      ended: (error) => this.#dialed(error),
    });
  }

  /** The connections that new calls go to. */
  get connections(): readonly Connection[] {
    return this.#pool.connections;
  }

  /** Resolves when the server has answered the hello of each connection. @throws what `redial` says. */
  async connect(): Promise<void> {
    this.#isInUse = true;
    const endsAtMs = performance.now() + this.settings.connectTimeoutMs;
    if (this.#pool.liveCount === 0) await this.#dialing.reach();
    if (this.#missing > 0) await this.#dialing.complete(endsAtMs);
  }

  /** Sends a request at once where the connection can take it, else queues it. Errors reach the caller. */
  request(request: CallRequest, caller: Caller): ChannelCall {
    return this.#submit(new ChannelCall(request, caller, ignore, this.#room));
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
    this.#isInUse = true;
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
    call.waitsSinceMs = performance.now();
    try {
      call.encodePayload();
    } catch (error) {
      this.#queue.delete(call);
      call.fail(error);
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

  #dialIfMissing(): void {
    if (this.#pool.liveCount === 0) this.#dialing.want();
    else if (this.#missing > 0) this.#dialing.fillIfDue();
  }

  /** No server is there any more: whoever waits for one does so from now on. */
  #dialIfStranded(): void {
    if (this.#pool.liveCount > 0) return;
    if (this.#queue.size === 0) {
      if (this.#isInUse && this.#closing === undefined) this.#dialing.wish();
      return;
    }
    const nowMs = performance.now();
    for (const call of this.#queue.items) call.waitsSinceMs = nowMs;
    this.#dialing.want();
  }

  #dialed(error: UdsError | undefined): void {
    if (error !== undefined) {
      this.owner.disconnected();
      this.#failQueued(error);
    } else {
      // What was dialled may be lost by now.
      this.#dialIfStranded();
    }
    this.#settle();
  }

  #opened(connection: Connection): void {
    this.#dialing.opened();
    if (this.#missing <= 0) {
      // Two attempts were under way for the same place.
      this.#retire(connection);
      return;
    }
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

  #closed(connection: Connection): void {
    this.#leaving.delete(connection);
    this.#pool.delete(connection);
    if (this.#pool.size === 0) this.owner.disconnected();
    this.#dialIfStranded();
    this.#settle();
  }

  #failQueued(error: UdsError): void {
    // Not those that a caller sends again when it hears of the failure.
    for (const call of this.#queue.items) if (this.#queue.delete(call)) call.fail(error);
  }

  /** Those that have waited for a server since then, or longer. Gives since when the next one waits. */
  #failWaiting(sinceMs: number, error: UdsError): number {
    if (this.#pool.liveCount > 0) return Infinity;
    let nextMs = Infinity;
    for (const call of this.#queue.items) {
      if (call.waitsSinceMs > sinceMs) nextMs = Math.min(nextMs, call.waitsSinceMs);
      else if (this.#queue.delete(call)) call.fail(error);
    }
    this.#settle();
    return nextMs;
  }

  async #drain(): Promise<void> {
    const { closeTimeoutMs } = this.settings;
    this.#isInUse = false;
    const cut = new AbortController();
    const timer = setTimeout(() => {
      cut.abort();
      this.#cut();
      this.#settle();
    }, closeTimeoutMs);
    do {
      while (!cut.signal.aborted && (this.#queue.size > 0 || this.#dialing.isUnderWay)) {
        // A connection that no call waits for is not worth waiting for either.
        if (this.#queue.size === 0) this.#dialing.stop();
        await this.#nextSettling();
      }
      for (const connection of [...this.#pool.connections]) this.#retire(connection);
      while (!cut.signal.aborted && this.#leaving.size > 0) await this.#nextSettling();
      // A call may have come back from a connection that was lost meanwhile.
    } while (!cut.signal.aborted && this.#queue.size > 0);
    clearTimeout(timer);
    // Calls may have come meanwhile; they have had their connection.
    this.#isInUse = false;
  }

  #cut(): void {
    const { closeTimeoutMs } = this.settings;
    const error = errorOf(
      'CLIENT_CLOSED',
      `The client was closed before the call ended (closeTimeoutMs ${closeTimeoutMs}).`,
    );
    this.#dialing.stop();
    this.#failQueued(error);
    for (const connection of [...this.#leaving, ...this.#pool.connections]) connection.close(error);
    // Those that come back as their connection is cut, too.
    this.#failQueued(error);
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

/** What a request is told once it is written: its answer says so. */
const ignore = (): void => undefined;
