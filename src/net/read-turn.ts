import type { Buffer } from 'node:buffer';
import type { Socket } from 'node:net';

/**
 * How long the reading of one connection may keep the event loop from the others, or from whoever may come. What handlers do
 * behind an `await` is not in it: it takes about three times as long again.
 */
const TURN_MS = 0.2;
const LONE_TURN_MS = 2;
/** Who has read alone for so long has the longer turns: each change of turns costs a look at all sockets. */
const ALONE_AFTER_MS = 100;
/** What one read of Node brings at most; where it is as much, libuv reads the same socket again, up to 32 times in one turn. */
const FULL_READ_BYTES = 65_536;
/** No shorter ones are cut, and so little says nothing of what more would cost. */
const MIN_PIECE_BYTES = 1024;
/** What a connection is taken to cost before anything is known of it: short calls, some microseconds each. */
const FIRST_MS_PER_BYTE = 1 / 16_384;

/** Who reads, of all connections of one server. */
export class Readers {
  #last: ReadTurn | undefined;
  #changedAtMs = 0;

  /** Notes that one reads now; gives how long its turn may be. */
  turnMsOf(reader: ReadTurn, nowMs: number): number {
    if (reader !== this.#last) {
      this.#last = reader;
      this.#changedAtMs = nowMs;
    }
    return nowMs - this.#changedAtMs < ALONE_AFTER_MS ? TURN_MS : LONE_TURN_MS;
  }
}

export interface ReadTurnOwner {
  /** Takes one piece; gives whether it takes more. */
  read(piece: Buffer): boolean;
  /** The next turn has come. */
  next(): void;
}

/**
 * One connection's share of a turn of the event loop. Who sends more than can be worked off in a moment is read on in the next
 * turn, behind what others have sent meanwhile; what was not read goes back into the socket.
 *
 *   chunk -> [ piece | piece | rest ... ]   each piece is read in one go; the rest waits for the next turn
 *
 * A piece is as long as what can be read in the time of a turn, by what the pieces before it took: some dozens of calls, or
 * the whole of a chunk of a long payload.
 */
export class ReadTurn {
  #msPerByte = FIRST_MS_PER_BYTE;
  /** Of this turn, also by the reads before this one that filled their buffers. */
  #spentMs = 0;
  #isOver = false;

  constructor(
    private readonly socket: Socket,
    private readonly readers: Readers,
    private readonly owner: ReadTurnOwner,
  ) {}

  /** Whether the socket must wait for the next turn. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Reads a chunk, as far as there is time and whoever reads does not pause the socket. */
  read(chunk: Buffer): void {
    let beganMs = performance.now();
    const turnMs = this.readers.turnMsOf(this, beganMs);
    let at = 0;
    do {
      const pieceBytes = Math.max(MIN_PIECE_BYTES, (turnMs - this.#spentMs) / this.#msPerByte);
      const piece = chunk.subarray(at, at + pieceBytes);
      if (!this.owner.read(piece)) return;
      at += piece.length;
      const nowMs = performance.now();
      this.#took(nowMs - beganMs, piece.length);
      beganMs = nowMs;
    } while (at < chunk.length && this.#spentMs < turnMs && !this.socket.isPaused());
    const mayBeMore = chunk.length >= FULL_READ_BYTES;
    if (at < chunk.length || (mayBeMore && this.#spentMs >= turnMs)) this.#wait(chunk.subarray(at));
    else if (!mayBeMore) this.#spentMs = 0;
  }

  #took(tookMs: number, bytes: number): void {
    this.#spentMs += tookMs;
    if (bytes >= MIN_PIECE_BYTES) this.#msPerByte = (this.#msPerByte + tookMs / bytes) / 2;
  }

  #wait(rest: Buffer): void {
    this.#isOver = true;
    this.socket.pause();
    if (rest.length > 0) this.socket.unshift(rest);
    setImmediate(() => {
      this.#isOver = false;
      this.#spentMs = 0;
      this.owner.next();
    });
  }
}
