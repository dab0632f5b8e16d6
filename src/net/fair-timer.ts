/** A loop that is not held up rings within a few milliseconds. */
const LATE_MS = 20;

/** Whether the event loop was held up as a timer was due: what it waits for may have come, or not even been asked for. */
export const isHeldUp = (lateMs: number): boolean => lateMs > LATE_MS;

/** Rings after a while, or once more after the same while where the event loop was held up meanwhile. */
export class FairTimer {
  #timer: NodeJS.Timeout;

  constructor(delayMs: number, ring: () => void) {
    const dueMs = performance.now() + delayMs;
    this.#timer = setTimeout(() => {
      if (isHeldUp(performance.now() - dueMs)) this.#timer = setTimeout(ring, delayMs);
      else ring();
    }, delayMs);
  }

  cancel(): void {
    clearTimeout(this.#timer);
  }
}
