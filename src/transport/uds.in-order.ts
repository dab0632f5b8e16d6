const isPromise = <T>(value: T | PromiseLike<T>): value is PromiseLike<T> =>
  typeof (value as PromiseLike<T> | undefined)?.then === 'function';

/** @throws TypeError where a deserializer made no packet at all. */
function asPacket<T>(value: T): T {
  if (typeof value === 'object' && value !== null) return value;
  throw new TypeError('The deserializer gave no packet.');
}

/** Keeps the packets that a deserializer makes in the order of what it was given, also where it takes its time. */
export class InOrder {
  /** Resolves when all runs so far are done; undefined where none is under way, so that a synchronous one goes straight through. */
  #tail: Promise<void> | undefined;

  /** Exactly one of `take` and `fail` is called, after those of all earlier runs. Neither may throw. */
  run<T>(read: () => T | PromiseLike<T>, take: (value: T) => void, fail: (error: unknown) => void): void {
    if (this.#tail !== undefined) {
      this.#wait(this.#tail.then(read), take, fail);
      return;
    }
    let value: T | PromiseLike<T>;
    try {
      value = read();
      if (!isPromise(value)) asPacket(value);
    } catch (error) {
      fail(error);
      return;
    }
    if (isPromise(value)) this.#wait(value, take, fail);
    else take(value);
  }

  #wait<T>(value: PromiseLike<T>, take: (value: T) => void, fail: (error: unknown) => void): void {
    const done = (settle: () => void): void => {
      if (this.#tail === tail) this.#tail = undefined;
      settle();
    };
    const tail = Promise.resolve(value)
      .then(asPacket)
      .then(
        (read) => done(() => take(read)),
        (error: unknown) => done(() => fail(error)),
      );
    this.#tail = tail;
  }
}
