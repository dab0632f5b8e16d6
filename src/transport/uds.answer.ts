import { isObservable, type Observable, type Subscription, takeWhile } from 'rxjs';
import { AnswerStream } from './uds.answer-stream.js';
import { discard, isStreamed } from './uds.iterable.js';
import type { Reply } from './uds.reply.js';

const NOTHING_HELD = Symbol('nothing held');

/**
 * How long a handler is taken to run on whose Observable was unsubscribed from before it gave a value: under an interceptor the
 * handler is behind it, and nobody tells when it ends. As long as a call waits by default.
 */
const UNSEEN_HANDLER_MS = 30_000;

/**
 * Turns what a handler gave (a value, an Observable, an iterable) into the answers of its call.
 */
export class Answer {
  #stream: AnswerStream | undefined;
  #subscription: Subscription | undefined;
  /**
   * The newest value of an Observable, for as long as the queue of Nest's own transports would keep it. If the Observable
   * ends before, the value travels with the end; and as over Nest's TCP a last `undefined` is no value at all.
   */
  #held: unknown = NOTHING_HELD;
  /**
   * How many values that queue (of `Server.send`) would hold. It is begun at the end of the tick and gives up one value a
   * microtask; an end that finds it not empty marks its last value. Only the newest value matters, so the others are counted.
   */
  #nestQueueLength = 0;
  #isDraining = false;
  /** Whether a handler may still be at work behind the Observable. */
  #mayWork = false;

  constructor(private readonly reply: Reply) {}

  /** Runs a handler and answers with what it gives; never throws or rejects, whatever the handler does. */
  run(handler: () => unknown): Promise<void> {
    this.reply.beginWork();
    let given: Promise<unknown>;
    try {
      given = Promise.resolve(handler());
    } catch (error) {
      this.#failed(error);
      return Promise.resolve();
    }
    // An async function that awaits would do the same, and cost another promise.
    return given.then(this.#gave, this.#failed);
  }

  readonly #gave = (result: unknown): void => {
    this.reply.endWork();
    try {
      this.#give(result);
    } catch (error) {
      this.reply.failPastFilters(error);
    }
  };

  readonly #failed = (error: unknown): void => {
    this.reply.endWork();
    this.reply.failPastFilters(error);
  };

  /** Nobody waits any more: tears down what produces values. */
  stop(): void {
    try {
      this.#subscription?.unsubscribe();
    } catch (error) {
      // A handler's teardown that throws is logged as Nest logs a handler that throws; nobody waits to be told.
      this.reply.settings.mapError(error);
    }
    this.#stream?.stop();
    if (this.#mayWork) setTimeout(() => this.#endWork(), UNSEEN_HANDLER_MS).unref();
    this.reply.end();
  }

  #give(result: unknown): void {
    if (isObservable(result)) {
      this.#subscribe(result);
    } else if (!isStreamed(result)) {
      this.reply.respond(result);
    } else if (this.reply.isOver()) {
      discard(result);
    } else {
      this.#stream = new AnswerStream(this.reply, () => this.stop());
      this.#stream.push(result);
      this.#stream.finish(() => this.reply.complete());
    }
  }

  #subscribe(source: Observable<unknown>): void {
    // The cancel may have come while the handler was awaited: what was not subscribed to need not be torn down.
    if (this.reply.isOver()) return;
    const stream = new AnswerStream(this.reply, () => this.stop());
    this.#stream = stream;
    // One that gives all its values at once can't be unsubscribed from before it is through: it is asked to stop.
    const wanted = source.pipe(takeWhile(() => !this.reply.isOver()));
    this.#mayWork = true;
    this.reply.beginWork();
    this.#subscription = wanted.subscribe({
      next: (value) => {
        this.#endWork();
        this.#emitted(stream, value);
      },
      error: (error: unknown) => {
        this.#endWork();
        this.#release(stream);
        stream.finish(() => this.reply.fail(error));
      },
      complete: () => {
        this.#endWork();
        this.#completed(stream);
      },
    });
    if (this.reply.isOver()) this.stop();
  }

  #endWork(): void {
    if (!this.#mayWork) return;
    this.#mayWork = false;
    this.reply.endWork();
  }

  #emitted(stream: AnswerStream, value: unknown): void {
    this.#release(stream);
    this.#held = value;
    this.#nestQueueLength += 1;
    if (this.#isDraining) return;
    this.#isDraining = true;
    process.nextTick(() => void this.#drainAsNest(stream));
  }

  async #drainAsNest(stream: AnswerStream): Promise<void> {
    while (this.#nestQueueLength > 0) {
      this.#nestQueueLength -= 1;
      if (this.#nestQueueLength === 0) this.#release(stream);
      await Promise.resolve();
    }
    this.#isDraining = false;
  }

  #release(stream: AnswerStream): void {
    const value = this.#held;
    this.#held = NOTHING_HELD;
    if (value !== NOTHING_HELD) stream.push(value);
  }

  #completed(stream: AnswerStream): void {
    const last = this.#held;
    this.#held = NOTHING_HELD;
    if (last !== NOTHING_HELD && stream.isClear && !isStreamed(last)) {
      this.reply.respond(last);
      return;
    }
    if (last !== NOTHING_HELD && last !== undefined) stream.push(last);
    stream.finish(() => this.reply.complete());
  }
}
