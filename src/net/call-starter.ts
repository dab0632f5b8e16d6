import type { IncomingCall } from '../protocol/call.js';

/**
 * Holds the calls of the chunk that is being read: they start once all of it was read, so that one which was cancelled in
 * it never starts.
 */
export class CallStarter {
  readonly #calls: IncomingCall[] = [];
  #running: IncomingCall | undefined;
  #isStarting = false;

  /** @param run runs a call, unless it is over by then. */
  constructor(private readonly run: (call: IncomingCall) => void) {}

  /** Whether calls wait for their turn. */
  get isHolding(): boolean {
    return this.#calls.length > 0;
  }

  add(call: IncomingCall): void {
    this.#calls.push(call);
  }

  /** Starts what may start. @param isInTurn whether the next call waits for the end of the one before it. */
  start(isInTurn: boolean): void {
    if (isInTurn) this.#startInTurn();
    else this.#startAll();
  }

  /** What one throws is thrown on once the others have started. */
  #startAll(): void {
    const failures: unknown[] = [];
    // Out of the list first: a call that ends while it starts lets the socket be read on only where none is held.
    for (const call of this.#calls.splice(0)) {
      try {
        this.run(call);
      } catch (error) {
        failures.push(error);
      }
    }
    // Nothing here may throw. If something does all the same, the calls behind it do not pay for it.
    if (failures.length > 0) throw failures[0];
  }

  /** The next one starts when the one before it has ended: for answers without an id, which must come in order. */
  #startInTurn(): void {
    // A call that ends while it starts asks for the next one: it has its turn in this loop.
    if (this.#isStarting) return;
    this.#isStarting = true;
    try {
      while (this.#calls.length > 0 && this.#running?.isOver !== false) {
        this.#running = this.#calls.shift();
        if (this.#running !== undefined) this.run(this.#running);
      }
    } finally {
      this.#isStarting = false;
    }
  }
}
