const isPromise = <T>(value: T | PromiseLike<T>): value is PromiseLike<T> =>
  typeof (value as PromiseLike<T> | undefined)?.then === 'function';

/** @throws TypeError where a deserializer made no packet at all. */
function asPacket<T>(value: T): T {
  if (typeof value === 'object' && value !== null) return value;
  throw new TypeError('The deserializer gave no packet.');
}

/** One packet's way: made by the deserializer, looked at, then taken. */
interface Reading<T, V> {
  read(): T | PromiseLike<T>;
  /** Everything that looks into the packet: it may throw, as any code of an application. */
  view(packet: T): V;
  /** Exactly one of these two is called. Neither may throw. */
  take(view: V): void;
  fail(error: unknown): void;
}

/** Keeps the packets that a deserializer makes in the order of what it was given, also where it takes its time. */
export class InOrder {
  /** Settles when all runs so far are done; undefined where none is under way, so that a synchronous one goes straight through. */
  #tail: Promise<void> | undefined;
  #underWay = 0;

  /** Takes the packet after those of all earlier runs. */
  run<T, V>(reading: Reading<T, V>): void {
    if (this.#tail !== undefined) {
      this.#tail = this.#wait(this.#tail, reading);
      return;
    }
    let view: V;
    try {
      const packet = reading.read();
      if (isPromise(packet)) {
        this.#tail = this.#wait(undefined, { ...reading, read: () => packet });
        return;
      }
      view = reading.view(asPacket(packet));
    } catch (error) {
      reading.fail(error);
      return;
    }
    reading.take(view);
  }

  async #wait<T, V>(before: Promise<void> | undefined, reading: Reading<T, V>): Promise<void> {
    this.#underWay += 1;
    await before;
    let settle: () => void;
    try {
      const view = reading.view(asPacket(await reading.read()));
      settle = () => reading.take(view);
    } catch (error) {
      settle = () => reading.fail(error);
    }
    this.#underWay -= 1;
    if (this.#underWay === 0) this.#tail = undefined;
    settle();
  }
}
