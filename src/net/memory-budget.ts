import { getHeapStatistics } from 'node:v8';

/** Above so much a connection holds much: one read of a socket is as long. A frame that is no longer needs no room of its own. */
export const LITTLE_BYTES = 64 * 1024;

/** Unless it is told, a server holds no more than this part of the heap: what is counted is an estimate. */
const HEAP_PART = 1 / 4;

/** What one byte that comes may cost at most, of the shortest calls: so long a piece as fits in what is free is read at a time. */
const MAX_COST_PER_BYTE = 256;

/**
 * What all connections of one server may hold together: long frames on their way in, calls under way, answers that wait
 * to be written. Nobody is cut for want of room: who would take more than there is, is not read until there is.
 *
 * Frames have one half: what announces them costs a peer nothing, so it must not take the room of calls. A frame is given all
 * its room before the rest of it is read, in the order in which they ask, so that whoever has begun can end, and only where there
 * is room for the call that it is going to be; one at a time always has it while there is any.
 *
 * Of the other half each connection that holds much may hold as much as is free then, so that one that hoards leaves half of
 * it to others, two a third, and a new one always finds some (dynamic thresholds: A. K. Choudhury
 * and E. L. Hahne, "Dynamic Queue Length Thresholds for Shared-Memory Packet Switches", IEEE/ACM Transactions on
 * Networking 6(2), 1998; with a factor of 1). Those that hold little are read until all together hold twice that half.
 */
export class MemoryBudget {
  #frameBytes = 0;
  /** Of the calls that frames with room are going to be. */
  #promisedBytes = 0;
  #usedBytes = 0;
  /** Those that wait for room for a frame, in the order in which they asked, and all others that wait. */
  readonly #queue = new Set<MemoryShare>();
  readonly #waiting = new Set<MemoryShare>();
  #isLooking = false;

  readonly #halfBytes: number;

  constructor(maxBytes = getHeapStatistics().heap_size_limit * HEAP_PART) {
    this.#halfBytes = maxBytes / 2;
  }

  /** For calls and answers of those that hold much. */
  get freeBytes(): number {
    return this.#halfBytes - this.#usedBytes;
  }

  /** Whether there is no room for those that hold little either. */
  get isFull(): boolean {
    return this.#usedBytes >= 2 * this.#halfBytes;
  }

  /** How much may be read in one go, so that nobody takes much more than there is. */
  get pieceBytes(): number {
    return Math.max(this.freeBytes, LITTLE_BYTES) / MAX_COST_PER_BYTE;
  }

  use(bytes: number): void {
    this.#usedBytes += bytes;
    if (bytes < 0) this.#wakeSoon();
  }

  /** Takes room for a frame, and for the call that it is going to be; gives false where it must be waited for. */
  reserve(bytes: number, callBytes: number, share: MemoryShare): boolean {
    const fits = bytes <= this.#halfBytes - this.#frameBytes || this.#frameBytes === 0;
    const isNext = callBytes === 0 || (this.#hasRoomFor(callBytes) && !this.#isBehind(share));
    if (!fits || !isNext) return false;
    this.#frameBytes += bytes;
    this.#promisedBytes += callBytes;
    return true;
  }

  release(bytes: number, callBytes: number): void {
    this.#frameBytes -= bytes;
    this.#promisedBytes -= callBytes;
    this.#wakeSoon();
  }

  /** @param share may read no further. */
  wait(share: MemoryShare): void {
    const [joined, left] = share.isQueuing ? [this.#queue, this.#waiting] : [this.#waiting, this.#queue];
    joined.add(share);
    // Whoever is behind it may be next.
    if (left.delete(share) && left === this.#queue) this.#wakeSoon();
  }

  leave(share: MemoryShare): void {
    this.#waiting.delete(share);
    if (this.#queue.delete(share)) this.#wakeSoon();
  }

  #hasRoomFor(callBytes: number): boolean {
    const freeBytes = this.freeBytes - this.#promisedBytes;
    return callBytes <= freeBytes || (this.#promisedBytes === 0 && freeBytes > 0);
  }

  /** Whether somebody who asked before `share` still waits for room for a frame. */
  #isBehind(share: MemoryShare): boolean {
    const { value: first } = this.#queue.values().next();
    return first !== undefined && first !== share;
  }

  /** Once for all that is given back in one turn of the loop. */
  #wakeSoon(): void {
    if (this.#isLooking || this.#queue.size + this.#waiting.size === 0) return;
    this.#isLooking = true;
    setImmediate(() => {
      this.#isLooking = false;
      this.#wake();
    });
  }

  #wake(): void {
    for (const share of [...this.#waiting]) if (share.wantsFrame || !share.isHoarding) share.wake();
    for (const share of [...this.#queue]) {
      share.wake();
      // Nobody behind one that waits on has his turn.
      if (share.isQueuing) return;
    }
  }
}

/** What one connection holds of it. */
export class MemoryShare {
  /** Whether it waits for room for a frame, and whether in its turn. */
  wantsFrame = false;
  isQueuing = false;
  /** Room for the frame that comes, and for the call that it is going to be. */
  #frameBytes = 0;
  #promisedBytes = 0;
  /** Calls under way and answers that wait. */
  #usedBytes = 0;

  /** @param wake is called when there may be room again. */
  constructor(
    private readonly budget: MemoryBudget,
    readonly wake: () => void,
  ) {}

  /** Whether more is held than a connection may, as full as the server is. */
  get isHoarding(): boolean {
    return this.#usedBytes > LITTLE_BYTES ? this.#usedBytes > this.budget.freeBytes : this.budget.isFull;
  }

  /** Whether a frame comes for whose call there is no room. */
  get isUnpromised(): boolean {
    return this.#frameBytes > 0 && this.#promisedBytes === 0;
  }

  /** Whether much less is used than was said last: it is not said with each call that ends. */
  isStale(usedBytes: number): boolean {
    return this.#usedBytes > 0 && usedBytes * 2 <= this.#usedBytes;
  }

  /**
   * Says what is held now; gives whether more may be read.
   *
   * @param unfinishedBytes room for the frame that has begun, 0 for none.
   * @param callBytes what the call that it is may count as; 0 for one that must not wait for the calls of others.
   * @param usedBytes all else.
   */
  hold(unfinishedBytes: number, callBytes: number, usedBytes: number): boolean {
    this.use(usedBytes);
    this.wantsFrame = !this.#reserve(unfinishedBytes > LITTLE_BYTES ? unfinishedBytes : 0, callBytes);
    this.isQueuing = this.wantsFrame && callBytes > 0;
    const mayRead = !this.wantsFrame && !this.isHoarding;
    if (mayRead) this.budget.leave(this);
    else this.budget.wait(this);
    return mayRead;
  }

  /** Says what calls and answers hold now. */
  use(bytes: number): void {
    const change = bytes - this.#usedBytes;
    this.#usedBytes = bytes;
    if (change !== 0) this.budget.use(change);
  }

  /** What it has is given back before it asks anew: two that keep some and wait for more would wait for each other for ever. */
  #reserve(bytes: number, callBytes: number): boolean {
    if (bytes === this.#frameBytes) return true;
    if (this.#frameBytes > 0) this.budget.release(this.#frameBytes, this.#promisedBytes);
    this.#frameBytes = 0;
    this.#promisedBytes = 0;
    if (bytes > 0 && !this.budget.reserve(bytes, callBytes, this)) return false;
    this.#frameBytes = bytes;
    this.#promisedBytes = callBytes;
    return true;
  }
}
