/** What a stream is pulled from. */
export interface ValueIterator {
  next(): Promise<IteratorResult<unknown>> | IteratorResult<unknown>;
  /** Ends it early; errors of its cleanup are nobody's any more. */
  return(): void;
}

/**
 * Whether a value streams: an async iterable, or what a generator function gave. An array, a Map or a string is one
 * value. Asked of every answer, so a value that is no object costs one comparison.
 */
export function isStreamed(value: unknown): value is AsyncIterable<unknown> | Generator {
  if (typeof value !== 'object' || value === null) return false;
  return Symbol.asyncIterator in value || Object.prototype.toString.call(value) === '[object Generator]';
}

/** Opens what streams; an iterable may give its iterator only once. */
export function iteratorOf(value: AsyncIterable<unknown> | Generator): ValueIterator {
  return guard(Symbol.asyncIterator in value ? value[Symbol.asyncIterator]() : value);
}

function guard(iterator: AsyncIterator<unknown> | Iterator<unknown>): ValueIterator {
  return {
    next: () => iterator.next(),
    return: () => {
      try {
        Promise.resolve(iterator.return?.()).catch(() => undefined);
      } catch {
        // A synchronous generator may throw from its finally block: nobody waits for it any more.
      }
    },
  };
}
