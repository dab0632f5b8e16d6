import { DeadlineTimer } from './deadline-timer.js';

interface Waiting {
  /** On the clock of `performance.now`; Infinity for no limit. */
  readonly deadlineMs: number;
}

/** What waits, in order, up to a limit, each no longer than its deadline. */
export class WaitQueue<T extends Waiting> {
  readonly #waiting = new Set<T>();
  /** Those that came back, before all others; the last of these is the first. */
  readonly #returned: T[] = [];
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
    return [...this.#returned.toReversed(), ...this.#waiting];
  }

  get size(): number {
    return this.#returned.length + this.#waiting.size;
  }

  get first(): T | undefined {
    return this.#returned.at(-1) ?? this.#firstWaiting;
  }

  get #firstWaiting(): T | undefined {
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

  /** Puts one that had its turn before all others, whatever the limit: as many had left. */
  comeBack(item: T): void {
    this.#returned.push(item);
    this.#timer.arm(item.deadlineMs);
  }

  /** Gives false where it did not wait any more. */
  delete(item: T): boolean {
    const wasThere = this.#waiting.delete(item) || this.#deleteReturned(item);
    if (this.size === 0) {
      this.#timer.disarm();
      // An iterator keeps every table that the set has grown out of, with all that was in it.
      this.#order = undefined;
      this.#first = undefined;
    }
    return wasThere;
  }

  #deleteReturned(item: T): boolean {
    const at = this.#returned.lastIndexOf(item);
    if (at >= 0) this.#returned.splice(at, 1);
    return at >= 0;
  }

  #expire(): void {
    const nowMs = performance.now();
    for (const item of this.items) if (item.deadlineMs <= nowMs && this.delete(item)) this.expired(item);
    // Not before: who is told may have others sent, or add some.
    for (const item of this.items) this.#timer.arm(item.deadlineMs);
  }
}
