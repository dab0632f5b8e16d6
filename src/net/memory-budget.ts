/** What a connection may hold without asking, of a frame that comes and of all else each: one read of a socket is as long. */
export const FREE_BYTES = 64 * 1024;

/**
 * What all connections of one server may hold together: long frames on their way in, calls under way, answers that wait
 * to be written. Nobody is cut for want of room: who would take more than there is, is not read until there is.
 *
 * Frames have one half: what announces them costs a peer nothing, so it must not take the room of calls. A frame is given all
 * its room before the rest of it is read, in the order in which they ask, so that whoever has begun can end; one at a time
 * always has room. Of the other half each connection may hold as much as is free then, so that one that hoards leaves half of
 * it to others, two a third, and a new one always finds some (dynamic thresholds: A. K. Choudhury
 * and E. L. Hahne, "Dynamic Queue Length Thresholds for Shared-Memory Packet Switches", IEEE/ACM Transactions on
 * Networking 6(2), 1998; with a factor of 1).
 */
export class MemoryBudget {
  #frameBytes = 0;
  #usedBytes = 0;
  readonly #waiting = new Set<MemoryShare>();
  #isLooking = false;

  readonly #halfBytes: number;

  constructor(maxBytes: number) {
    this.#halfBytes = maxBytes / 2;
  }

  /** For calls and answers. */
  get freeBytes(): number {
    return this.#halfBytes - this.#usedBytes;
  }

  use(bytes: number): void {
    this.#usedBytes += bytes;
    if (bytes < 0) this.#wakeSoon();
  }

  /** Takes room for a frame; gives false where it must be waited for. */
  reserve(bytes: number, share: MemoryShare): boolean {
    const fits = bytes <= this.#halfBytes - this.#frameBytes || this.#frameBytes === 0;
    if (!fits || this.#isBehind(share)) return false;
    this.#frameBytes += bytes;
    return true;
  }

  release(bytes: number): void {
    this.#frameBytes -= bytes;
    this.#wakeSoon();
  }

  wait(share: MemoryShare): void {
    this.#waiting.add(share);
  }

  leave(share: MemoryShare): void {
    // Whoever is behind it may be next.
    if (this.#waiting.delete(share)) this.#wakeSoon();
  }

  /** Whether somebody who asked before `share` still waits for room for a frame. */
  #isBehind(share: MemoryShare): boolean {
    for (const other of this.#waiting) {
      if (other === share) return false;
      if (other.wantsFrame) return true;
    }
    return false;
  }

  /** Once for all that is given back in one turn of the loop. */
  #wakeSoon(): void {
    if (this.#isLooking || this.#waiting.size === 0) return;
    this.#isLooking = true;
    setImmediate(() => {
      this.#isLooking = false;
      for (const share of [...this.#waiting]) share.wake();
    });
  }
}

/** What one connection holds of it. */
export class MemoryShare {
  /** Whether it waits for room for a frame. */
  wantsFrame = false;
  /** Room for the frame that comes. */
  #frameBytes = 0;
  /** Calls under way and answers that wait. */
  #usedBytes = 0;

  /** @param wake is called when there may be room again. */
  constructor(
    private readonly budget: MemoryBudget,
    readonly wake: () => void,
  ) {}

  /** Whether anything is held that counts. */
  get isCounted(): boolean {
    return this.#frameBytes + this.#usedBytes > 0;
  }

  /** Whether more is held than a connection may, as full as the server is. */
  get isHoarding(): boolean {
    return this.#usedBytes > 0 && this.#usedBytes > this.budget.freeBytes;
  }

  /**
   * Says what is held now; gives whether more may be read.
   *
   * @param unfinishedBytes room for the frame that has begun, 0 for none.
   * @param usedBytes all else.
   */
  hold(unfinishedBytes: number, usedBytes: number): boolean {
    this.#use(usedBytes > FREE_BYTES ? usedBytes : 0);
    this.wantsFrame = !this.#reserve(unfinishedBytes > FREE_BYTES ? unfinishedBytes : 0);
    const mayRead = !this.wantsFrame && !this.isHoarding;
    if (mayRead) this.budget.leave(this);
    else this.budget.wait(this);
    return mayRead;
  }

  #use(bytes: number): void {
    const change = bytes - this.#usedBytes;
    this.#usedBytes = bytes;
    if (change !== 0) this.budget.use(change);
  }

  /** What it has is given back before it asks anew: two that keep some and wait for more would wait for each other for ever. */
  #reserve(bytes: number): boolean {
    if (bytes === this.#frameBytes) return true;
    if (this.#frameBytes > 0) this.budget.release(this.#frameBytes);
    this.#frameBytes = 0;
    if (bytes > 0 && !this.budget.reserve(bytes, this)) return false;
    this.#frameBytes = bytes;
    return true;
  }
}
