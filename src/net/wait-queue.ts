import { DeadlineTimer } from './deadline-timer.js';

interface Waiting {
  /** On the clock of `performance.now`; Infinity for no limit. */
  readonly deadlineMs: number;
}

/** What waits, in order, up to a limit, each no longer than its deadline. */
export class WaitQueue<T extends Waiting> {
  readonly #waiting = new Set<T>();
  /** Goes on from the first one that waits: a new iterator would pass over all that have left before, each time. */
  #order: SetIterator<T> | undefined;
  #first: T | undefined;
  readonly #timer = new DeadlineTimer(() => this.#expire());

  constructor(
    private readonly maxSize: number,
    private readonly expired: (item: T) => void,
  ) {}

  /** Those that wait now, in order. */
  get items(): T[] {
    return [...this.#waiting];
  }

  get size(): number {
    return this.#waiting.size;
  }

  get first(): T | undefined {
    while (this.#first === undefined || !this.#waiting.has(this.#first)) {
      if (this.#waiting.size === 0) return undefined;
      this.#order ??= this.#waiting.values();
      const next = this.#order.next();
      // What was added after an iterator had come to its end needs another one.
      if (next.done === true) this.#order = undefined;
      else this.#first = next.value;
    }
    return this.#first;
  }

  /** Gives false where the queue is full. */
  add(item: T): boolean {
    if (this.#waiting.size >= this.maxSize) return false;
    this.#waiting.add(item);
    this.#timer.arm(item.deadlineMs);
    return true;
  }

  /** Gives false where it did not wait any more. */
  delete(item: T): boolean {
    const wasThere = this.#waiting.delete(item);
    if (this.#waiting.size === 0) {
      this.#timer.disarm();
      // An iterator keeps every table that the set has grown out of, with all that was in it.
      this.#order = undefined;
      this.#first = undefined;
    }
    return wasThere;
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
    this.#timer.arm(nextMs);
  }
}
