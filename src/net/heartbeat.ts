import { errorOf, type UdsError } from '../protocol/errors.js';
import { pollPhase } from './poll-phase.js';

export interface HeartbeatSettings {
  /** After how long a silence the peer is asked whether it lives; 0 is never. */
  readonly heartbeatIntervalMs: number;
  /** How long it may take to answer. */
  readonly heartbeatTimeoutMs: number;
}

/** What a heartbeat needs of its connection. */
export interface HeartbeatOwner {
  /** Asks the peer for a sign of life. */
  ping(): void;
  /** Whether this end reads at all: what it does not read is no silence of the peer. */
  isReading(): boolean;
  /** The peer did not answer. */
  died(error: UdsError): void;
}

/**
 * A timer that is late by this share of the timeout was held up with everything else, the peer perhaps too (both stopped,
 * the machine asleep): the peer gets its time once more.
 */
const LATE_SHARE = 0.5;

/**
 * Notices a peer whose event loop has stopped: any byte is a sign of life, and after a silence it is asked for one. The
 * time until then is at most interval and timeout together.
 *
 *   heard ---- interval ----> PING ---- timeout ----> one poll phase -> died
 *     ^------------------- any byte ------------------------'
 */
export class Heartbeat {
  #timer: NodeJS.Timeout | undefined;
  #heardAtMs = 0;
  #isAsking = false;
  #isOver = false;

  constructor(
    private readonly settings: HeartbeatSettings,
    private readonly owner: HeartbeatOwner,
  ) {}

  start(nowMs: number): void {
    this.#heardAtMs = nowMs;
    if (this.settings.heartbeatIntervalMs > 0) this.#rest(nowMs);
  }

  /** Something came. Called for each chunk, so it sets no timer but for an answer. */
  heard(nowMs: number): void {
    this.#heardAtMs = nowMs;
    // At once, since the next silence begins now and not when the time for the answer is up.
    if (this.#isAsking) this.#rest(nowMs);
  }

  stop(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }

  /** Until the silence has lasted long enough to ask. */
  #rest(nowMs: number): void {
    clearTimeout(this.#timer);
    this.#isAsking = false;
    const dueMs = this.#heardAtMs + this.settings.heartbeatIntervalMs;
    this.#timer = setTimeout(() => this.#look(), Math.max(1, dueMs - nowMs)).unref();
  }

  #look(): void {
    const nowMs = performance.now();
    if (!this.owner.isReading()) {
      // Who waits for us to read hears that we live, and is judged when we read again.
      this.#heardAtMs = nowMs;
      this.owner.ping();
    }
    if (nowMs < this.#heardAtMs + this.settings.heartbeatIntervalMs) this.#rest(nowMs);
    else this.#ask(nowMs);
  }

  #ask(nowMs: number): void {
    const { heartbeatTimeoutMs } = this.settings;
    this.#isAsking = true;
    this.owner.ping();
    this.#timer = setTimeout(() => void this.#judge(nowMs + heartbeatTimeoutMs), heartbeatTimeoutMs).unref();
  }

  async #judge(dueMs: number): Promise<void> {
    const { heartbeatIntervalMs, heartbeatTimeoutMs } = this.settings;
    const isLate = performance.now() - dueMs > heartbeatTimeoutMs * LATE_SHARE;
    await pollPhase();
    if (this.#isOver || !this.#isAsking) return;
    if (!this.owner.isReading()) {
      this.#look();
    } else if (isLate) {
      this.#ask(performance.now());
    } else {
      const silence = `The peer has said nothing for ${heartbeatIntervalMs} ms and did not answer within ${heartbeatTimeoutMs} ms more`;
      this.owner.died(
        errorOf(
          'HEARTBEAT_TIMEOUT',
          `${silence} (options heartbeatIntervalMs, heartbeatTimeoutMs): it hangs or was stopped.`,
        ),
      );
    }
  }
}
