/** Timers of Node hold 31 bits; what is due later is looked at again when this has passed. */
const MAX_TIMER_MS = 0x7fffffff;

/** One timer for many deadlines, on the clock of `performance.now`: it is set anew only for an earlier one. */
export class DeadlineTimer {
  #timer: NodeJS.Timeout | undefined;
  #atMs = Infinity;

  /** @param due is called at the deadline or a little earlier or later; it looks what is due and arms again. */
  constructor(private readonly due: (lateMs: number) => void) {}

  /** Rings at `atMs`, or earlier where it was armed for that. Infinity is no deadline. */
  arm(atMs: number): void {
    if (atMs >= this.#atMs) return;
    clearTimeout(this.#timer);
    this.#atMs = atMs;
    const delayMs = Math.min(MAX_TIMER_MS, Math.max(1, Math.ceil(atMs - performance.now())));
    this.#timer = setTimeout(() => {
      this.#atMs = Infinity;
      this.due(performance.now() - atMs);
    }, delayMs);
  }

  disarm(): void {
    clearTimeout(this.#timer);
    this.#atMs = Infinity;
  }
}
