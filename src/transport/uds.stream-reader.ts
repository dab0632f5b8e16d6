import type { WritePacket } from '@nestjs/microservices';
import Queue from 'yocto-queue';
import type { OpenCall } from './uds.abortable-call.js';

interface Waiting {
  resolve(step: IteratorResult<unknown, undefined>): void;
  reject(error: unknown): void;
}

const DONE: IteratorResult<unknown, undefined> = { done: true, value: undefined };

/**
 * Reads a streamed answer. Credit is granted as values are taken, so no more than streamCreditBytes of them ever wait
 * here. Leaving the loop early (`break`, `return`, `throw`) cancels the call.
 */
export class StreamReader implements AsyncIterableIterator<unknown, undefined, undefined> {
  readonly #arrived = new Queue<{ value: unknown; wireBytes: number }>();
  readonly #waiting = new Queue<Waiting>();
  #isEnded = false;
  #failure: { error: unknown } | undefined;
  #call: OpenCall | undefined;

  /** @param open starts the call; its answers are given to `receive`. */
  constructor(private readonly open: (reader: StreamReader) => OpenCall) {}

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Takes one answer. */
  receive({ err, response, isDisposed, status }: WritePacket, wireBytes: number): void {
    if (this.#isEnded) return;
    // A handler may fail with `undefined` too, so the status decides.
    const isFailure = status === 'error' || (err !== undefined && err !== null);
    if (isFailure) this.#failure = { error: err };
    else if (isDisposed !== true || response !== undefined)
      this.#arrived.enqueue({ value: response, wireBytes });
    if (isDisposed === true) this.#isEnded = true;
    // The failure may be of this end alone: a value that can't be read, while the server goes on sending.
    if (isFailure) this.#call?.cancel();
    this.#serve();
  }

  next(): Promise<IteratorResult<unknown, undefined>> {
    return new Promise((resolve, reject) => {
      this.#waiting.enqueue({ resolve, reject });
      // The call starts with the first read.
      if (this.#call === undefined && !this.#isEnded) this.#start();
      this.#serve();
    });
  }

  return(): Promise<IteratorResult<unknown, undefined>> {
    this.#isEnded = true;
    this.#arrived.clear();
    this.#failure = undefined;
    this.#call?.cancel();
    this.#serve();
    return Promise.resolve(DONE);
  }

  #start(): void {
    try {
      this.#call = this.open(this);
    } catch (err) {
      this.receive({ err, isDisposed: true }, 0);
    }
  }

  /** Gives what has arrived to those who wait, in order. */
  #serve(): void {
    for (let reader = this.#waiting.peek(); reader !== undefined; reader = this.#waiting.peek()) {
      const arrived = this.#arrived.dequeue();
      if (arrived === undefined && !this.#isEnded) return;
      this.#waiting.dequeue();
      if (arrived !== undefined) {
        reader.resolve({ done: false, value: arrived.value });
        this.#call?.consume(arrived.wireBytes);
      } else if (this.#failure !== undefined) {
        reader.reject(this.#failure.error);
        this.#failure = undefined;
      } else {
        reader.resolve(DONE);
      }
    }
  }
}
