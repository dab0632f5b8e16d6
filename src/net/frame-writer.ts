import type { Socket } from 'node:net';
import type { Dialect } from '../protocol/dialects/dialect.js';
import type { UdsError } from '../protocol/errors.js';
import type { Message } from '../protocol/message.js';
import { lostBecause } from './connection-errors.js';

/**
 * Frames that are written at once, without waiting for the end of the tick: the other process then starts while this one still
 * works. A quarter of the calls that are under way, so that some quarters are on their way while one is worked on, and no
 * fewer than MIN_EAGER_FRAMES, since a system call costs as much as the work of several calls. One write a frame, and one a
 * tick, were both measured at less than half the rate.
 */
const MIN_EAGER_FRAMES = 16;
const EAGER_PART = 4;
const EAGER_BYTES = 64 * 1024;

/** Told once the system has taken what was packed, or with the reason why it never will. */
export type Written = (error: UdsError | undefined) => void;

/** Whose messages are packed here. */
export interface PackedSession {
  /** Calls under way in either direction. */
  readonly underWay: number;
  readonly outgoing: {
    /** The last request that was packed. */
    readonly lastId: number;
    /** The requests up to this one are with the system, or may be. */
    begin(id: number): void;
  };
}

/**
 * Packs messages for one socket: frames of one tick share a write, unless there are many.
 *
 * It knows what can't have left. The system takes most writes at once; of one that it does not take whole it may have taken a
 * part, and what is written meanwhile waits in the socket until that one is done. Node then gives the system all of it.
 *
 *   [ left | #underWay: may have left in part | waits in the socket | packed ]
 *                                           begin ^
 */
export class FrameWriter {
  #dialect: Dialect | undefined;
  #isFlushScheduled = false;
  /** Told of what is packed now. */
  #onWritten: Written[] = [];
  /** How many writes there were; which of them the system has not taken whole, 0 for none; the last request in any. */
  #writes = 0;
  #underWay = 0;
  #flushedId = 0;

  /** @param flushed is called after each write to the socket. */
  constructor(
    private readonly socket: Socket,
    private readonly session: PackedSession,
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
    if (this.#isMuch(this.#dialect)) {
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

  /** Whether the other end should have what is packed before this one goes on. */
  #isMuch({ pendingFrames, pendingBytes }: Dialect): boolean {
    return pendingBytes >= EAGER_BYTES || pendingFrames >= this.#eagerFrames;
  }

  /** How many frames are written without waiting for more. */
  get #eagerFrames(): number {
    return Math.max(MIN_EAGER_FRAMES, Math.ceil(this.session.underWay / EAGER_PART));
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
    const { socket } = this;
    const isBehind = socket.writableLength > 0;
    this.#flushedId = this.session.outgoing.lastId;
    this.#writes += 1;
    if (chunks.length > 0) socket.cork();
    for (const chunk of chunks) socket.write(chunk);
    socket.write(last, this.#whenWritten(this.#writes));
    if (chunks.length > 0) socket.uncork();
    // A write that fails at once, as one to a peer that has gone does, has taken nothing.
    if (!isBehind && socket.errored === null) {
      this.#underWay = socket.writableLength > 0 ? this.#writes : 0;
      this.session.outgoing.begin(this.#flushedId);
    }
    this.flushed();
  }

  #whenWritten(write: number): (error?: Error | null) => void {
    const callbacks = this.#onWritten;
    if (callbacks.length > 0) this.#onWritten = [];
    return (error) => {
      const lost = error ? lostBecause(error) : undefined;
      if (lost === undefined) this.#wrote(write);
      for (const callback of callbacks) callback(lost);
    };
  }

  #wrote(write: number): void {
    if (write !== this.#underWay) return;
    this.#underWay = this.#writes === write ? 0 : this.#writes;
    this.session.outgoing.begin(this.#flushedId);
  }

  /** Nothing more will be written. */
  lose(error: UdsError): void {
    for (const callback of this.#onWritten.splice(0)) callback(error);
  }
}
