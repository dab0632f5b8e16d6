import { errorOf } from '../protocol/errors.js';
import type { EncodedPayload } from '../protocol/payload-codec.js';
import { isStreamed, iteratorOf, type ValueIterator } from './uds.iterable.js';
import type { Reply } from './uds.reply.js';

/** What keeping one value costs beside its bytes, so that many empty ones are bounded too. */
const KEPT_VALUE_BYTES = 64;

type Part = EncodedPayload | ValueIterator;

const isIterator = (part: Part): part is ValueIterator => 'next' in part;

/**
 * The values of one streamed answer, in order, under the caller's credit. An iterable is pulled only while there is
 * credit. A value that was pushed without credit is kept, encoded, up to maxStreamBufferBytes: what pushes can't be
 * paused.
 *
 *   push -> [ part | part | iterator ... ] -> pump -> NEXT frames
 */
export class AnswerStream {
  readonly #parts: Part[] = [];
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
    return !this.#isPumping && this.#parts.length === 0;
  }

  push(value: unknown): void {
    if (this.reply.isOver()) return;
    if (isStreamed(value)) this.#add(iteratorOf(value));
    else if (this.isClear && this.reply.call.creditBytes > 0) this.reply.next(value);
    else this.#keep(value);
  }

  /** Nothing more is pushed: `end` runs once all is written. */
  finish(end: () => void): void {
    this.#end = end;
    if (this.isClear) end();
  }

  /** Nobody waits any more. */
  stop(): void {
    this.#pulled?.return();
    for (const part of this.#parts.splice(0)) if (isIterator(part)) part.return();
    this.#wake?.();
  }

  #add(part: Part): void {
    this.#parts.push(part);
    if (!this.#isPumping) void this.#pump();
  }

  #keep(value: unknown): void {
    const { maxStreamBufferBytes } = this.reply.settings;
    let payload: EncodedPayload;
    try {
      payload = this.reply.encode(value);
    } catch {
      this.reply.refuse(
        errorOf('UNSERIALIZABLE_ANSWER', 'The handler gave a value that can not be written as JSON.'),
      );
      return;
    }
    this.#keptBytes += payload.byteLength + KEPT_VALUE_BYTES;
    if (this.#keptBytes <= maxStreamBufferBytes) {
      this.#add(payload);
      return;
    }
    this.reply.refuse(
      errorOf(
        'STREAM_OVERFLOW',
        `The handler's Observable is more than ${maxStreamBufferBytes} bytes ahead of its reader (option maxStreamBufferBytes); an async generator would have been paused.`,
      ),
    );
  }

  async #pump(): Promise<void> {
    this.#isPumping = true;
    for (
      let part = this.#parts.shift();
      part !== undefined && !this.reply.isOver();
      part = this.#parts.shift()
    ) {
      if (isIterator(part)) {
        await this.#pull(part);
      } else {
        await this.#credit();
        this.#keptBytes -= part.byteLength + KEPT_VALUE_BYTES;
        this.reply.next(part);
      }
    }
    this.#isPumping = false;
    if (!this.reply.isOver()) this.#end?.();
  }

  async #pull(iterator: ValueIterator): Promise<void> {
    const { call } = this.reply;
    this.#pulled = iterator;
    try {
      while (!this.reply.isOver()) {
        if (call.creditBytes <= 0) await this.#credit();
        if (this.reply.isOver()) break;
        const step = await iterator.next();
        if (step.done === true) break;
        this.reply.next(step.value);
      }
    } catch (error) {
      this.reply.failUnfiltered(error);
      this.stopSource();
    }
    this.#pulled = undefined;
    // Also where the loop ended by itself: return() after the end does nothing.
    if (this.reply.isOver()) iterator.return();
  }

  /** Waits until the caller takes more, or nobody waits any more. */
  async #credit(): Promise<void> {
    const { call } = this.reply;
    while (call.creditBytes <= 0 && !this.reply.isOver()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
