import { errorOf, type UdsError } from '../protocol/errors.js';
import { isHeldUp } from './fair-timer.js';
import { pollPhase } from './poll-phase.js';

/** What must have come of a frame within the time: one read of a socket may be as long, so whoever sends at all sends more. */
const MOVING_BYTES = 64 * 1024;

/** What a frame's timer looks at. */
export interface FrameTimerOwner {
  bytesRead(): number;
  /** Whether this end reads at all: what it does not read is no standstill of the peer. */
  isReading(): boolean;
  frameIsLate(error: UdsError): void;
}

/**
 * Notices a peer that begins a frame and does not go on. Not how long a frame takes is limited, but how long it may stand
 * still: a slow sender that moves lives. It is looked at once in a while, and not timed frame by frame, since frames that
 * the end of a chunk cuts are common: a standstill is noticed after one to two times partialFrameTimeoutMs.
 */
export class FrameTimer {
  #timer: NodeJS.Timeout | undefined;
  #isMidFrame = false;
  #framesRead = 0;

  /** @param partialFrameTimeoutMs 0 waits for ever. */
  constructor(
    private readonly partialFrameTimeoutMs: number,
    private readonly owner: FrameTimerOwner,
  ) {}

  /** A frame is whole. */
  received(): void {
    this.#framesRead += 1;
  }

  /** A chunk was read. */
  rested(isMidFrame: boolean): void {
    this.#isMidFrame = isMidFrame;
    if (isMidFrame && this.partialFrameTimeoutMs > 0) this.#timer ??= this.#watch();
  }

  stop(): void {
    this.#isMidFrame = false;
    clearTimeout(this.#timer);
  }

  #watch(): NodeJS.Timeout {
    const { partialFrameTimeoutMs } = this;
    const frames = this.#framesRead;
    const bytes = this.owner.bytesRead();
    // Who was not read had no chance to go on, also where it is read again by the time it is looked at.
    const wasRead = this.owner.isReading();
    const dueMs = performance.now() + partialFrameTimeoutMs;
    return setTimeout(
      () =>
        void this.#judge(
          dueMs,
          () => wasRead && frames === this.#framesRead && this.owner.bytesRead() - bytes < MOVING_BYTES,
        ),
      partialFrameTimeoutMs,
    ).unref();
  }

  async #judge(dueMs: number, standsStill: () => boolean): Promise<void> {
    const wasHeldUp = isHeldUp(performance.now() - dueMs);
    // What came while the loop was held up lies unread.
    await pollPhase();
    this.#timer = undefined;
    if (!this.#isMidFrame) return;
    if (wasHeldUp || !this.owner.isReading() || !standsStill()) {
      this.#timer = this.#watch();
      return;
    }
    this.owner.frameIsLate(
      errorOf(
        'FRAME_TIMEOUT',
        `The peer has begun a frame and sent less than ${MOVING_BYTES} bytes of it in ${this.partialFrameTimeoutMs} ms (option partialFrameTimeoutMs).`,
      ),
    );
  }
}
