import type { Buffer } from 'node:buffer';
import type { Socket } from 'node:net';

/** How long the reading of one connection, and what runs for it at once, may keep the event loop from whoever may come. */
const TURN_MS = 0.3;
const LONE_TURN_MS = 8;
/** Who has read alone for so long has the longer turns: each change of turns costs a look at all sockets. */
const ALONE_AFTER_MS = 100;
/** What one read of Node brings at most; where it is as much, libuv reads the same socket again, up to 32 times in one turn. */
const FULL_READ_BYTES = 65_536;
/** No shorter ones are cut: one call, or a part of it. */
const MIN_PIECE_BYTES = 32;
/** What so little costs is not looked at, unless it holds more calls than start at once. */
const UNMEASURED_BYTES = 128;
/** What a connection is taken to cost before anything is known of it: a handler may compute. Some calls tell. */
const FIRST_MS_PER_BYTE = TURN_MS / 256;

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
  /** How much may be read in one go, whatever time there is. */
  maxPieceBytes(): number;
  /** Takes one piece. */
  read(piece: Buffer): void;
  /** Whether calls that were read have not started yet. */
  isStarting(): boolean;
  /** Starts some of them. */
  startMore(): void;
  /** Whether what comes is passed over. */
  hasEnded(): boolean;
  /** The next turn has come. */
  next(): void;
}

/**
 * One connection's share of a turn of the event loop. Who sends more than can be worked off in a moment is read on in the next
 * turn, behind what others have sent meanwhile; what was not read goes back into the socket.
 *
 *   chunk -> [ piece | rest ... ]   the piece is read in one go; the rest waits for the next turn
 *
 * A piece is as long as what can be worked off in the time of a turn, by what the pieces before it took, with all that their
 * handlers did before they waited for something: some dozens of calls, one of a handler that computes, or the whole of a chunk of
 * a long payload. So the clock is read once more when everything has run that could: handlers are behind promises. Many calls are
 * started group by group, and where those behind cheap ones are dear, the groups that are left wait for the next turns too.
 *
 *   read piece | handlers ... | look: time is left | more handlers ... | look: none is left | others | more handlers ... | measure
 */
export class ReadTurn {
  #msPerByte = FIRST_MS_PER_BYTE;
  /** Of this turn, also by the reads before this one that filled their buffers. */
  #spentMs = 0;
  #turnMs = TURN_MS;
  #isOver = false;
  /** Whether the next turn is on its way. */
  #isWaiting = false;
  /** Whether what is read is going to be measured, and what that is so far; what it took in turns that are over, and since when. */
  #isOpen = false;
  #openBytes = 0;
  #tookMs = 0;
  #beganMs = 0;
  #mayBeMore = false;

  constructor(
    private readonly socket: Socket,
    private readonly readers: Readers,
    private readonly owner: ReadTurnOwner,
  ) {}

  /** Whether the socket must wait for the next turn. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Reads a chunk, as far as there is time. @param isWhole whether it is never cut. */
  read(chunk: Buffer, isWhole: boolean): void {
    this.#begin(chunk.length);
    const length = isWhole ? chunk.length : Math.min(chunk.length, this.#pieceBytes);
    if (this.#isOpen) this.#openBytes += length;
    this.owner.read(length === chunk.length ? chunk : chunk.subarray(0, length));
    // An event may be as short as three bytes.
    if (!this.#isOpen && this.owner.isStarting()) this.#open(length);
    if (length < chunk.length && !this.owner.hasEnded()) this.#wait(chunk.subarray(length));
  }

  get #pieceBytes(): number {
    const byTime = (this.#turnMs - this.#spentMs) / this.#msPerByte - this.#openBytes;
    return Math.max(MIN_PIECE_BYTES, Math.min(byTime, this.owner.maxPieceBytes()));
  }

  #begin(bytes: number): void {
    if (bytes >= FULL_READ_BYTES) this.#mayBeMore = true;
    if (this.#isOpen) return;
    this.#beganMs = performance.now();
    this.#turnMs = this.readers.turnMsOf(this, this.#beganMs);
    if (bytes > UNMEASURED_BYTES) this.#open(0);
  }

  /** From here on it is measured. */
  #open(bytes: number): void {
    this.#isOpen = true;
    this.#openBytes = bytes;
    this.#lookSoon();
  }

  /** A tick begins once no promise is left to go on. */
  #lookSoon(): void {
    queueMicrotask(this.#tickSoon);
  }

  readonly #tickSoon = (): void => process.nextTick(this.#look);

  readonly #look = (): void => {
    const sliceMs = performance.now() - this.#beganMs;
    const isSpent = this.#spentMs + sliceMs >= this.#turnMs;
    if (!this.owner.isStarting()) {
      this.#measure(sliceMs);
    } else if (isSpent) {
      this.#tookMs += sliceMs;
      this.#wait();
    } else {
      this.#startMore();
    }
  };

  #measure(sliceMs: number): void {
    this.#msPerByte = (this.#msPerByte + (this.#tookMs + sliceMs) / this.#openBytes) / 2;
    this.#isOpen = false;
    this.#openBytes = 0;
    this.#tookMs = 0;
    this.#spentMs = this.#mayBeMore ? this.#spentMs + sliceMs : 0;
    this.#mayBeMore = false;
    if (this.#isOver || (this.#spentMs >= this.#turnMs && !this.owner.hasEnded())) this.#wait();
  }

  /** The rest, and calls that have not started, have the next turn. */
  #wait(rest?: Buffer): void {
    this.#isOver = true;
    // Nobody would have one that has ended read on.
    if (!this.owner.hasEnded()) this.socket.pause();
    if (rest !== undefined) this.socket.unshift(rest);
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    setImmediate(() => this.#takeTurn());
  }

  #takeTurn(): void {
    this.#isWaiting = false;
    this.#spentMs = 0;
    if (this.owner.isStarting()) {
      this.#beganMs = performance.now();
      this.#turnMs = this.readers.turnMsOf(this, this.#beganMs);
      this.#startMore();
      return;
    }
    this.#isOver = false;
    this.owner.next();
  }

  #startMore(): void {
    // First: whatever happens to one of them, those behind it have their turn.
    this.#lookSoon();
    this.owner.startMore();
  }
}
