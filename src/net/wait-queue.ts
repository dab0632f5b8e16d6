interface Waiting {
  /** On the clock of `performance.now`; Infinity for no limit. */
  readonly deadlineMs: number;
}

const MAX_TIMER_MS = 0x7fffffff;

/** What waits, in order, up to a limit, each no longer than its deadline. One timer serves all. */
export class WaitQueue<T extends Waiting> {
  readonly #waiting = new Set<T>();
  #timer: NodeJS.Timeout | undefined;
  #timerAtMs = Infinity;

  constructor(
    private readonly maxSize: number,
    private readonly expired: (item: T) => void,
  ) {}

  get size(): number {
    return this.#waiting.size;
  }

  get first(): T | undefined {
    return this.#waiting.values().next().value;
  }

  /** Gives false where the queue is full. */
  add(item: T): boolean {
    if (this.#waiting.size >= this.maxSize) return false;
    this.#waiting.add(item);
    if (item.deadlineMs < this.#timerAtMs) this.#arm(item.deadlineMs);
    return true;
  }

  delete(item: T): void {
    this.#waiting.delete(item);
    if (this.#waiting.size === 0) this.#disarm();
  }

  #arm(atMs: number): void {
    this.#disarm();
    if (atMs === Infinity) return;
    this.#timerAtMs = atMs;
    const delayMs = Math.min(MAX_TIMER_MS, Math.max(1, Math.ceil(atMs - performance.now())));
    this.#timer = setTimeout(() => this.#expire(), delayMs);
  }

  #disarm(): void {
    clearTimeout(this.#timer);
    this.#timerAtMs = Infinity;
  }

  #expire(): void {
    const nowMs = performance.now();
    let nextMs = Infinity;
    for (const item of this.#waiting) {
      if (item.deadlineMs > nowMs) {
        nextMs = Math.min(nextMs, item.deadlineMs);
      } else {
        this.#waiting.delete(item);
        this.expired(item);
      }
    }
    this.#arm(nextMs);
  }
}
