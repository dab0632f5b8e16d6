import { setMaxListeners } from 'node:events';
import type { UdsError } from '../protocol/errors.js';
import type { ConnectionOwner } from './connection.js';
import { DeadlineTimer } from './deadline-timer.js';
import { helloTimeout } from './dialer.js';
import { FairTimer, isHeldUp } from './fair-timer.js';
import { redial, redialAll, type RedialSettings } from './redial.js';

export interface DialingSettings extends RedialSettings {
  /** How long a server that was lost is tried for while nobody waits for it. */
  readonly reconnectTimeoutMs: number;
}

/** Whose connections are dialled, and who waits for them. */
export interface DialingOwner {
  /** How many are wanted and not there. */
  missing(): number;
  /** Those who have waited since then, or longer, wait no more. Gives since when the next one waits, Infinity for nobody. */
  outOfPatience(sinceMs: number, error: UdsError): number;
  /** No attempt is under way any more; with the reason where it ended without a connection. */
  ended(error: UdsError | undefined): void;
}

/**
 * Gets a channel its connections: the first one, which calls wait for, and the others, which none does. Each who waits has
 * `connectTimeoutMs` of his own; attempts go on as long as anybody waits, and for a while after a server was lost.
 */
export class Dialing {
  /** Connections that have ever stood. */
  #opens = 0;
  #openedAtMs = -Infinity;
  /** Servers that went as soon as they had come, one after the other. */
  #shortLived = 0;
  #first: Promise<void> | undefined;
  #others: Promise<void> | undefined;
  #wantedUntilMs = 0;
  /** When a connection that could not be had is tried for again, while others serve. */
  #nextFillAtMs = 0;
  /** What the last attempt failed with. */
  #failure: UdsError | undefined;
  /** The same of the others. */
  #othersFailure: UdsError | undefined;
  readonly #stops = new Set<AbortController>();
  /** Whether those who wait were given their time once more. */
  #hasForgiven = false;
  readonly #patience = new DeadlineTimer((lateMs) => this.#losePatience(lateMs));

  constructor(
    private readonly settings: DialingSettings,
    private readonly connectionOwner: ConnectionOwner,
    private readonly owner: DialingOwner,
  ) {}

  /** Also between the first connection and the others, when no attempt is there to be stopped. */
  get isUnderWay(): boolean {
    return this.#first !== undefined || this.#others !== undefined;
  }

  /** A connection stands. */
  opened(): void {
    this.#opens += 1;
    this.#openedAtMs = performance.now();
  }

  /** Somebody waits for the first connection, from now on. */
  want(): void {
    const { connectTimeoutMs } = this.settings;
    this.#patience.arm(performance.now() + connectTimeoutMs);
    void this.#dialFor(connectTimeoutMs);
  }

  /** Nobody waits, and it would be good to have one. */
  wish(): void {
    const { reconnectTimeoutMs } = this.settings;
    if (reconnectTimeoutMs > 0) void this.#dialFor(reconnectTimeoutMs);
  }

  /** Resolves when the first connection stands. @throws within `connectTimeoutMs` what `redial` says */
  async reach(): Promise<void> {
    const { connectTimeoutMs } = this.settings;
    await this.#within(connectTimeoutMs, this.#dialFor(connectTimeoutMs), () => this.#failure);
  }

  /** Resolves when none is missing any more. @throws by then what `redial` says */
  async complete(endsAtMs: number): Promise<void> {
    const durationMs = Math.max(1, endsAtMs - performance.now());
    await this.#within(durationMs, this.#fillUp(endsAtMs), () => this.#othersFailure);
  }

  /** An attempt that others want may go on for longer than whoever joins it has time. */
  async #within(
    durationMs: number,
    attempt: Promise<void>,
    failure: () => UdsError | undefined,
  ): Promise<void> {
    let timer: FairTimer | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = new FairTimer(durationMs, () => reject(failure() ?? helloTimeout(this.settings.path)));
    });
    try {
      await Promise.race([attempt, late]);
    } finally {
      timer?.cancel();
    }
  }

  async #fillUp(endsAtMs: number): Promise<void> {
    const isEnd = (error: unknown): boolean =>
      (error as UdsError).code === 'CLIENT_CLOSED' || performance.now() >= endsAtMs;
    let failure: UdsError | undefined;
    // What others want may be for fewer connections, or end sooner.
    while (this.#others !== undefined) {
      await this.#others.catch((error: unknown) => {
        if (isEnd(error)) throw error;
        failure = error as UdsError;
      });
    }
    if (this.owner.missing() > 0) await this.#fill(endsAtMs, failure);
  }

  /** The others, while one serves: no call waits for this. @param endsAtMs until when they are tried for. */
  #fill(endsAtMs = performance.now() + this.settings.connectTimeoutMs, failure?: UdsError): Promise<void> {
    if (this.#others === undefined) this.#othersFailure = failure;
    const wish = {
      failure,
      endsAtMs: () => endsAtMs,
      failed: (error: UdsError) => (this.#othersFailure = error),
    };
    this.#others ??= this.#attempt((stop) =>
      redialAll(this.owner.missing(), this.settings, this.connectionOwner, stop, wish),
    )
      .catch((error: unknown) => {
        this.#nextFillAtMs = performance.now() + this.settings.connectTimeoutMs;
        throw error;
      })
      .finally(() => {
        this.#others = undefined;
        this.owner.ended(undefined);
      });
    return this.#others;
  }

  /** The same, unless they could not be had a short while ago. */
  fillIfDue(): void {
    if (performance.now() >= this.#nextFillAtMs) this.#fill().catch(ignore);
  }

  stop(): void {
    for (const stop of this.#stops) stop.abort();
  }

  #dialFor(durationMs: number): Promise<void> {
    this.#wantedUntilMs = Math.max(this.#wantedUntilMs, performance.now() + durationMs);
    if (this.#first === undefined) {
      this.#first = this.#dialFirst();
      // Calls that wait hear of its failure by their own way.
      this.#first.catch(ignore);
    }
    return this.#first;
  }

  async #dialFirst(): Promise<void> {
    const opensBefore = this.#opens;
    this.#failure = undefined;
    const wish = {
      endsAtMs: () => this.#wantedUntilMs,
      failed: (error: UdsError) => (this.#failure = error),
    };
    // A server that says hello and goes, again and again, is a server that fails.
    const isShortLived = performance.now() - this.#openedAtMs < this.settings.maxReconnectDelayMs;
    this.#shortLived = isShortLived ? this.#shortLived + 1 : 0;
    const failedBefore = this.#shortLived;
    try {
      await this.#attempt((stop) => redial(this.settings, this.connectionOwner, stop, wish, failedBefore));
    } catch (error) {
      // A server that was there for a moment is worth another attempt, with all of its time.
      this.#endFirst(this.#opens === opensBefore ? (error as UdsError) : undefined);
      throw error;
    }
    if (this.owner.missing() > 0) this.#fill(this.#wantedUntilMs).catch(ignore);
    this.#endFirst(undefined);
  }

  #endFirst(error: UdsError | undefined): void {
    this.#first = undefined;
    this.#wantedUntilMs = 0;
    this.#patience.disarm();
    this.#hasForgiven = false;
    this.owner.ended(error);
  }

  async #attempt(run: (stop: AbortSignal) => Promise<void>): Promise<void> {
    const stop = new AbortController();
    this.#stops.add(stop);
    // Each connection that is dialled listens to it: that many are no leak.
    setMaxListeners(0, stop.signal);
    await run(stop.signal).finally(() => this.#stops.delete(stop));
  }

  #losePatience(lateMs: number): void {
    const { connectTimeoutMs, path } = this.settings;
    // What was dialled before could not come to anything meanwhile. Once: who is always held up must not wait for ever.
    if (isHeldUp(lateMs) && !this.#hasForgiven) {
      this.#hasForgiven = true;
      this.#patience.arm(performance.now() + connectTimeoutMs);
      return;
    }
    this.#hasForgiven = false;
    const failure = this.#failure ?? helloTimeout(path);
    const nextSinceMs = this.owner.outOfPatience(performance.now() - connectTimeoutMs, failure);
    this.#patience.arm(nextSinceMs + connectTimeoutMs);
  }
}

const ignore = (): void => undefined;
