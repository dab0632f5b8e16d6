import { errorOf, type UdsError } from '../protocol/errors.js';

/** How long the peer's hello may take, from its first byte: a connection may be silent before. */
export class HelloTimer {
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly helloTimeoutMs: number,
    private readonly late: (error: UdsError) => void,
  ) {}

  /** Starts with the first call; later ones change nothing. */
  arm(): void {
    this.#timer ??= setTimeout(() => {
      this.late(
        errorOf(
          'HELLO_TIMEOUT',
          `The peer's hello took longer than ${this.helloTimeoutMs} ms (option helloTimeoutMs).`,
        ),
      );
    }, this.helloTimeoutMs).unref();
  }

  disarm(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
