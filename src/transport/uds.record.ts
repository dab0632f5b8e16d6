import { errorOf } from '../protocol/errors.js';
import { isMetadata, type Metadata } from '../protocol/payload-codec.js';

/** A payload together with what this one call asks for. Made by UdsRecordBuilder, given to `send`, `emit` or `stream`. */
export class UdsRecord<T = unknown> {
  constructor(
    readonly data: T,
    readonly metadata: Metadata | undefined,
    readonly timeoutMs: number | undefined,
    readonly signal: AbortSignal | undefined,
  ) {}
}

/**
 * Adds metadata, a time limit or an AbortSignal to one call.
 *
 * @example
 * client.send('echo', new UdsRecordBuilder('hi').setTimeoutMs(500).setMetadata({ tenant: 'a' }).build());
 */
export class UdsRecordBuilder<T = unknown> {
  #metadata: Metadata | undefined;
  #timeoutMs: number | undefined;
  #signal: AbortSignal | undefined;

  constructor(private readonly data: T) {}

  /**
   * @param metadata values that travel beside the payload; the handler reads them with `context.getMetadata()`.
   * @throws UsageError INVALID_RECORD where a value is no string.
   */
  setMetadata(metadata: Metadata): this {
    if (!isMetadata(metadata))
      throw errorOf('INVALID_RECORD', 'Metadata must be an object whose values are strings.');
    this.#metadata = { ...metadata };
    return this;
  }

  /**
   * @param timeoutMs how long to wait for the first answer, in milliseconds; 0 waits for ever.
   * @throws UsageError INVALID_RECORD
   */
  setTimeoutMs(timeoutMs: number): this {
    if (!Number.isInteger(timeoutMs) || timeoutMs < 0 || timeoutMs > 0x7fffffff) {
      throw errorOf(
        'INVALID_RECORD',
        `The timeout of a call must be a whole number of ms from 0 to 2147483647, got ${String(timeoutMs)}.`,
      );
    }
    this.#timeoutMs = timeoutMs;
    return this;
  }

  /**
   * @param signal cancels the call when it aborts; the call then fails with CALL_ABORTED.
   * @throws UsageError INVALID_RECORD
   */
  setSignal(signal: AbortSignal): this {
    // By shape: inside a test runner or another realm the class is another one.
    if (typeof (signal as AbortSignal | undefined)?.addEventListener !== 'function') {
      throw errorOf('INVALID_RECORD', 'The signal of a call must be an AbortSignal.');
    }
    this.#signal = signal;
    return this;
  }

  build(): UdsRecord<T> {
    return new UdsRecord(this.data, this.#metadata, this.#timeoutMs, this.#signal);
  }
}
