import { setImmediate } from 'node:timers/promises';
import Queue from 'yocto-queue';
import { errorOf, type UdsError } from '../protocol/errors.js';
import { EncodedPayload } from '../protocol/payload-codec.js';
import { isAbort } from './uds.errors.js';
import { discard, isStreamed, iteratorOf, type Streamed, type ValueIterator } from './uds.iterable.js';
import type { Reply } from './uds.reply.js';

/** What keeping one value costs beside its bytes, so that many empty ones are bounded too. */
const KEPT_VALUE_BYTES = 64;

/** After so many values of one iterable the event loop gets its turn: other calls must not wait for a long stream. */
const VALUES_A_TURN = 64;

type Part = EncodedPayload | Streamed;

const overflow = (limit: string): UdsError =>
  errorOf(
    'STREAM_OVERFLOW',
    `The handler's Observable is further ahead of its reader than ${limit}; an async generator would have been paused.`,
  );

const costOf = (part: Part): number => KEPT_VALUE_BYTES + (EncodedPayload.is(part) ? part.byteLength : 0);

/**
 * The values of one streamed answer, in order, under the caller's credit and no faster than the socket takes them. An
 * iterable is pulled only while both allow it. A value that was pushed meanwhile is kept, encoded, up to
 * maxStreamBufferBytes: what pushes can't be paused.
 *
 *   push -> [ part | part | iterable ... ] -> pump -> NEXT frames
 */
export class AnswerStream {
  readonly #parts = new Queue<Part>();
  #keptBytes = 0;
  #isPumping = false;
  #pulled: ValueIterator | undefined;
  #end: (() => void) | undefined;
  #wake: (() => void) | undefined;

  constructor(
    private readonly reply: Reply,
    /** Ends whatever pushes, after an iterator failed. */
    private readonly stopSource: () => void,
  ) {
    reply.call.onCredit = () => this.#wake?.();
  }

  /** Whether a value that is pushed now would be written now. */
  get isClear(): boolean {
    return !this.#isPumping && this.#parts.size === 0;
  }

  push(value: unknown): void {
    if (this.reply.isOver()) {
      if (isStreamed(value)) discard(value);
    } else if (isStreamed(value)) {
      this.#keep(value);
    } else if (this.isClear && this.reply.canStream()) {
      this.reply.next(value);
    } else {
      this.#keepValue(value);
    }
  }

  /** Nothing more is pushed: `end` runs once all is written. */
  finish(end: () => void): void {
    this.#end = end;
    if (this.isClear) end();
  }

  /** Nobody waits any more. */
  stop(): void {
    const pulled = this.#pulled;
    this.#pulled = undefined;
    pulled?.return();
    for (const part of this.#parts.drain()) if (!EncodedPayload.is(part)) discard(part);
    this.#wake?.();
  }

  #keepValue(value: unknown): void {
    let payload: EncodedPayload;
    try {
      payload = this.reply.encode(value);
    } catch {
      this.reply.refuse(
        errorOf('UNSERIALIZABLE_ANSWER', 'The handler gave a value that can not be written as JSON.'),
      );
      return;
    }
    this.#keep(payload);
  }

  #keep(part: Part): void {
    const { maxStreamBufferBytes } = this.reply.settings;
    this.#parts.enqueue(part);
    this.#keptBytes += costOf(part);
    this.reply.keep(costOf(part));
    // Refusing stops this stream, with all that it keeps.
    if (this.#keptBytes > maxStreamBufferBytes)
      this.reply.refuse(overflow(`${maxStreamBufferBytes} bytes (option maxStreamBufferBytes)`));
    else if (EncodedPayload.is(part) && !this.reply.mayKeep())
      this.reply.refuse(overflow('there is room for (option maxTotalBufferedBytes)'));
    else if (!this.#isPumping) void this.#pump();
  }

  async #pump(): Promise<void> {
    this.#isPumping = true;
    this.reply.beginWork();
    for (
      let part = this.#parts.dequeue();
      part !== undefined && !this.reply.isOver();
      part = this.#parts.dequeue()
    ) {
      this.#keptBytes -= costOf(part);
      if (EncodedPayload.is(part)) {
        if (!this.reply.canStream()) await this.#turn();
        this.reply.next(part);
      } else {
        await this.#pull(part);
      }
      // What a call holds that is over is let go of together.
      if (!this.reply.isOver()) this.reply.keep(-costOf(part));
    }
    this.#isPumping = false;
    this.reply.endWork();
    if (!this.reply.isOver()) this.#end?.();
  }

  async #pull(source: Streamed): Promise<void> {
    try {
      const iterator = iteratorOf(source);
      this.#pulled = iterator;
      for (let count = 1; !this.reply.isOver(); count += 1) {
        if (!this.reply.canStream()) await this.#turn();
        else if (count % VALUES_A_TURN === 0) await setImmediate();
        if (this.reply.isOver()) break;
        const step = await iterator.next();
        // As `for await` has it: else what never gives a result would go on for ever.
        if (typeof step !== 'object') throw new TypeError('The iterator gave no result object.');
        if (step.done === true) break;
        this.reply.next(step.value);
      }
    } catch (error) {
      // As after its end, a failed iterator is not returned.
      this.#pulled = undefined;
      // Who is told to stop may well say so by an error: that is no trouble of anybody.
      if (!this.reply.isOver() || !isAbort(error)) this.reply.failUnfiltered(error);
      this.stopSource();
    }
    this.#pulled = undefined;
  }

  /** Waits until the next value may be written, or nobody waits for it any more. */
  async #turn(): Promise<void> {
    while (!this.reply.canStream() && !this.reply.isOver()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
