import type { IncomingCall } from '../protocol/call.js';

/** Where the answers are packed. */
export interface AnswerWriter {
  /** How many answers are worth a write of their own. */
  readonly eagerFrames: number;
}

/**
 * Holds the calls of the chunk that is being read: they start once all of it was read, so that one which was cancelled in
 * it never starts. Then they start in groups, so that the first answers are on their way, and the other end has work, while the
 * later ones run here; else both ends would take turns.
 *
 *   chunk -> [ group | promises ... | answers leave ] [ group | ... ] ...
 */
export class CallStarter {
  #calls: IncomingCall[] = [];
  #running: IncomingCall | undefined;
  #isStarting = false;
  /** Whether the next group is going to start by itself. */
  #isResting = false;

  /** @param run runs a call, unless it is over by then. */
  constructor(
    private readonly run: (call: IncomingCall) => void,
    private readonly writer: AnswerWriter,
  ) {}

  /** Whether calls wait for the end of the one before them. */
  get isHolding(): boolean {
    return this.#calls.length > 0 && !this.#isResting;
  }

  /** Whether calls wait that start before anything more is read. */
  get isResting(): boolean {
    return this.#isResting;
  }

  add(call: IncomingCall): void {
    this.#calls.push(call);
  }

  /** Starts what may start. @param isInTurn whether the next call waits for the end of the one before it. */
  start(isInTurn: boolean): void {
    if (isInTurn) this.#startInTurn();
    else this.#startAll();
  }

  #startAll(): void {
    if (this.#isResting || this.#calls.length === 0) return;
    // Out of the list first: a call that ends while it starts lets the socket be read on only where none is held.
    const group = this.#takeGroup();
    if (this.#calls.length > 0) this.#restart();
    this.#run(group);
  }

  #takeGroup(): IncomingCall[] {
    const calls = this.#calls;
    const size = this.writer.eagerFrames;
    // A few behind a group are not worth another one.
    if (calls.length < size * 1.5) {
      this.#calls = [];
      return calls;
    }
    return calls.splice(0, size);
  }

  /** The next group has its turn once no promise is left to go on: a tick that a promise asked for begins then. */
  #restart(): void {
    this.#isResting = true;
    queueMicrotask(() =>
      process.nextTick(() => {
        this.#isResting = false;
        this.#startAll();
      }),
    );
  }

  /** What one throws is thrown on once the others have started. */
  #run(calls: readonly IncomingCall[]): void {
    const failures: unknown[] = [];
    for (const call of calls) {
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
