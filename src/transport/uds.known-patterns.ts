import type { MessageHandler } from '@nestjs/microservices';

/** Other spellings of patterns that are remembered; further ones, and longer ones, are looked up each time. */
const MAX_SPELLINGS = 1024;
const MAX_SPELLING_LENGTH = 256;

/**
 * Remembers which handler a pattern has, as it was spelled. A pattern has as many spellings as its caller likes, by blanks,
 * escapes, numbers and the order of keys: few and short ones are remembered. The one under which a handler is registered
 * always is, so that nobody makes the calls of others slow.
 */
export class KnownPatterns {
  readonly #handlers = new Map<string, MessageHandler>();
  #spellings = 0;

  /** @param registered the handlers by their own spelling. */
  constructor(private readonly registered: ReadonlyMap<string, MessageHandler>) {}

  get(pattern: string): MessageHandler | undefined {
    return this.#handlers.get(pattern);
  }

  /** Gives what it is given. */
  keep(pattern: string, handler: MessageHandler | null): MessageHandler | null {
    if (handler === null) return null;
    if (this.registered.has(pattern)) {
      this.#handlers.set(pattern, handler);
    } else if (this.#spellings < MAX_SPELLINGS && pattern.length <= MAX_SPELLING_LENGTH) {
      this.#spellings += 1;
      this.#handlers.set(pattern, handler);
    }
    return handler;
  }

  clear(): void {
    this.#handlers.clear();
    this.#spellings = 0;
  }
}
