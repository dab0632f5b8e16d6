import type { WritePacket } from '@nestjs/microservices';
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
  readonly #arrived: { value: unknown; wireBytes: number }[] = [];
  readonly #waiting: Waiting[] = [];
  #isEnded = false;
  #failure: { error: unknown } | undefined;
  #call: OpenCall | undefined;

  /** @param open starts the call; its answers are given to `receive`. */
  constructor(private readonly open: (reader: StreamReader) => OpenCall) {}

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Takes one answer. */
  receive({ err, response, isDisposed }: WritePacket, wireBytes: number): void {
    if (this.#isEnded) return;
    if (err !== undefined && err !== null) this.#failure = { error: err };
    else if (isDisposed !== true || response !== undefined)
      this.#arrived.push({ value: response, wireBytes });
    if (isDisposed === true) this.#isEnded = true;
    this.#serve();
  }

  next(): Promise<IteratorResult<unknown, undefined>> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      // The call starts with the first read.
      if (this.#call === undefined && !this.#isEnded) this.#call = this.open(this);
      this.#serve();
    });
  }

  return(): Promise<IteratorResult<unknown, undefined>> {
    this.#isEnded = true;
    this.#arrived.length = 0;
    this.#failure = undefined;
    this.#call?.cancel();
    this.#serve();
    return Promise.resolve(DONE);
  }

  /** Gives what has arrived to those who wait, in order. */
  #serve(): void {
    for (let reader = this.#waiting[0]; reader !== undefined; reader = this.#waiting[0]) {
      const arrived = this.#arrived.shift();
      if (arrived === undefined && !this.#isEnded) return;
      this.#waiting.shift();
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
