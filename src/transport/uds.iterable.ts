/** What a stream is pulled from. */
export interface ValueIterator {
  next(): Promise<IteratorResult<unknown>> | IteratorResult<unknown>;
  /** Ends it early; errors of its cleanup are nobody's any more. */
  return(): void;
}

/** A value that streams. */
export type Streamed = AsyncIterable<unknown> | Generator;

/** Lets go of what streams and was never read, so that what it holds (a file, a query) is released. */
export function discard(value: Streamed): void {
  try {
    iteratorOf(value).return();
  } catch {
    // It could not even be opened: there is nothing to release.
  }
}

/**
 * Whether a value streams: an async iterable, or what a generator function gave. An array, a Map or a string is one
 * value. Asked of every answer, so a value that is no object costs one comparison.
 */
export function isStreamed(value: unknown): value is Streamed {
  if (typeof value !== 'object' || value === null) return false;
  try {
    const open = (value as Partial<AsyncIterable<unknown>>)[Symbol.asyncIterator];
    return typeof open === 'function' || Object.prototype.toString.call(value) === '[object Generator]';
  } catch {
    // A Proxy or a getter that throws: the value can't be written either, and its call is told so then.
    return false;
  }
}

/** Opens what streams; an iterable may give its iterator only once. @throws what the iterable throws */
export function iteratorOf(value: Streamed): ValueIterator {
  const iterator = Symbol.asyncIterator in value ? value[Symbol.asyncIterator]() : value;
  return {
    next: () => iterator.next(),
    return: () => {
      try {
        Promise.resolve(iterator.return?.(undefined)).catch(() => undefined);
        // An iterator that was never read does not know yet what it holds: a stream of Node is told itself.
        (value as { destroy?: () => void }).destroy?.();
      } catch {
        // A synchronous generator may throw from its finally block: nobody waits for it any more.
      }
    },
  };
}
