import type { Socket } from 'node:net';
import type { Dialect } from '../protocol/dialects/dialect.js';
import type { UdsError } from '../protocol/errors.js';
import type { Message } from '../protocol/message.js';
import { lostBecause } from './connection-errors.js';

/**
 * Frames that are written at once, without waiting for the end of the tick: the other process then starts while this
 * one still works. One write a frame, and one a tick, were both measured at less than half the rate.
 */
const EAGER_FRAMES = 16;
const EAGER_BYTES = 64 * 1024;

/** Told once the system has taken what was packed, or with the reason why it never will. */
export type Written = (error: UdsError | undefined) => void;

/** Packs messages for one socket: frames of one tick share a write, unless there are many. */
export class FrameWriter {
  #dialect: Dialect | undefined;
  #isFlushScheduled = false;
  /** Told of what is packed now. */
  #onWritten: Written[] = [];

  /** @param flushed is called after each write to the socket. */
  constructor(
    private readonly socket: Socket,
    private readonly flushed: () => void,
  ) {}

  /** What is packed is packed in this dialect; before, nothing is. */
  open(dialect: Dialect): void {
    this.#dialect = dialect;
  }

  /** Packs a message; gives the bytes of its frame. @throws UsageError where it can't be written. */
  write(message: Message): number {
    if (this.#dialect === undefined) return 0;
    const bytes = this.#dialect.encode(message);
    if (this.#dialect.pendingFrames === 0) return bytes;
    if (this.#dialect.pendingFrames >= EAGER_FRAMES || this.#dialect.pendingBytes >= EAGER_BYTES) {
      this.flush();
    } else if (!this.#isFlushScheduled) {
      this.#isFlushScheduled = true;
      // nextTick runs after the promises that the incoming chunk resolved, so their answers share this write.
      process.nextTick(() => {
        this.#isFlushScheduled = false;
        this.flush();
      });
    }
    return bytes;
  }

  /** Packs something, and calls `written` once the system has taken it. @throws what `pack` throws; there is no call then. */
  writeWatched(pack: () => void, written: Written): void {
    // First, since packing may flush.
    this.#onWritten.push(written);
    try {
      pack();
    } catch (error) {
      // By identity: a payload's toJSON may have written another one meanwhile.
      this.#onWritten = this.#onWritten.filter((other) => other !== written);
      throw error;
    }
  }

  /** Writes what is packed now. */
  flush(): void {
    const chunks = this.#dialect?.take();
    const last = chunks?.pop();
    if (chunks === undefined || last === undefined) return;
    const callbacks = this.#onWritten;
    if (chunks.length > 0) this.socket.cork();
    for (const chunk of chunks) this.socket.write(chunk);
    if (callbacks.length === 0) {
      this.socket.write(last);
    } else {
      this.#onWritten = [];
      this.socket.write(last, (error) => {
        const lost = error ? lostBecause(error) : undefined;
        for (const callback of callbacks) callback(lost);
      });
    }
    if (chunks.length > 0) this.socket.uncork();
    this.flushed();
  }

  /** Nothing more will be written. */
  lose(error: UdsError): void {
    for (const callback of this.#onWritten.splice(0)) callback(error);
  }
}
