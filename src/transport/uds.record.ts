import { errorOf } from '../protocol/errors.js';
import { isMetadata, type Metadata } from '../protocol/payload-codec.js';
import { show } from './uds.show.js';

export type { Metadata };

const MAX_TIMEOUT_MS = 0x7fffffff;

/** @throws UsageError INVALID_RECORD where it is no object of strings. */
export function assertMetadata(metadata: unknown): asserts metadata is Metadata {
  if (!isMetadata(metadata))
    throw errorOf('INVALID_RECORD', 'Metadata must be an object whose values are strings.');
}

function assertTimeoutMs(timeoutMs: unknown): void {
  if (Number.isInteger(timeoutMs) && (timeoutMs as number) >= 0 && (timeoutMs as number) <= MAX_TIMEOUT_MS)
    return;
  throw errorOf(
    'INVALID_RECORD',
    `The timeout of a call must be a whole number of ms from 0 to ${MAX_TIMEOUT_MS}, got ${show(timeoutMs)}.`,
  );
}

function assertSignal(signal: unknown): void {
  // By shape: inside a test runner or another realm the class is another one.
  const { addEventListener, removeEventListener, aborted } = (signal ?? {}) as Partial<AbortSignal>;
  const listens = typeof addEventListener === 'function' && typeof removeEventListener === 'function';
  if (listens && typeof aborted === 'boolean') return;
  throw errorOf('INVALID_RECORD', 'The signal of a call must be an AbortSignal.');
}

/** A payload together with what this one call asks for. Made by UdsRecordBuilder, given to `send`, `emit` or `stream`. */
export class UdsRecord<T = unknown> {
  readonly #mark = true;

  /** Unlike `instanceof` this runs no trap of a Proxy: it may throw. */
  static is(value: unknown): value is UdsRecord {
    return typeof value === 'object' && value !== null && #mark in value;
  }

  /** @throws UsageError INVALID_RECORD */
  constructor(
    readonly data: T,
    readonly metadata: Metadata | undefined,
    readonly timeoutMs: number | undefined,
    readonly signal: AbortSignal | undefined,
  ) {
    if (metadata !== undefined) assertMetadata(metadata);
    if (timeoutMs !== undefined) assertTimeoutMs(timeoutMs);
    if (signal !== undefined) assertSignal(signal);
  }
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
    assertMetadata(metadata);
    this.#metadata = { ...metadata };
    return this;
  }

  /**
   * @param timeoutMs how long to wait for the first answer, in milliseconds; 0 waits for ever.
   * @throws UsageError INVALID_RECORD
   */
  setTimeoutMs(timeoutMs: number): this {
    assertTimeoutMs(timeoutMs);
    this.#timeoutMs = timeoutMs;
    return this;
  }

  /**
   * @param signal cancels the call when it aborts; the call then fails with CALL_ABORTED.
   * @throws UsageError INVALID_RECORD
   */
  setSignal(signal: AbortSignal): this {
    assertSignal(signal);
    this.#signal = signal;
    return this;
  }

  build(): UdsRecord<T> {
    return new UdsRecord(this.data, this.#metadata, this.#timeoutMs, this.#signal);
  }
}
