interface Identified {
  readonly id: number;
}

/** Slots of a table in which little is under way; a table is at most half full. */
const MIN_SLOTS = 16;
const MAX_EMPTY_SLOTS = 128;

/** 2^32 divided by the golden ratio: what lies in a row is spread as evenly as can be (Knuth, as below, 6.4, theorem S). */
const SPREAD = 0x9e3779b1;

/**
 * The calls under way, by id: an open table with linear probing, in which what is deleted leaves no trace (Knuth, The Art of
 * Computer Programming 3, 6.4, algorithm R). Ids are given in a row: without being spread they would lie in a row too, and
 * whoever leaves would have to look at all behind it.
 *
 *   slots  [ 17 |    |    | 3 | 19 | ... ]      19 wanted the slot of 3
 *
 * A Map would do but for the garbage collector. Each time a Map has had some hundred keys it moves to another memory, and V8 lets
 * the old one refer to the new one, for who iterates. Once one of them is in the old generation, so is every later one with the
 * calls in it until the next full collection: a third of a server's time went there.
 */
export class CallTable<T extends Identified> {
  #slots: (T | undefined)[] = slotsOf(MIN_SLOTS);
  /** Of a product its highest bits are the slot. */
  #shift = shiftOf(MIN_SLOTS);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(id: number): T | undefined {
    return this.#slots[this.#slotOf(id)];
  }

  has(id: number): boolean {
    return this.get(id) !== undefined;
  }

  /** Adds a call whose id is not there. */
  add(call: T): void {
    this.#size += 1;
    if (this.#size * 2 > this.#slots.length) this.#move(this.#slots.length * 2);
    this.#slots[this.#slotOf(call.id)] = call;
  }

  delete(id: number): void {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let hole = this.#slotOf(id);
    if (slots[hole] === undefined) return;
    this.#size -= 1;
    // Those behind it that were pushed away from the hole move up, or they would not be found.
    for (let at = (hole + 1) & mask; ; at = (at + 1) & mask) {
      const call = slots[at];
      if (call === undefined) break;
      if (((at - this.#homeOf(call.id)) & mask) < ((at - hole) & mask)) continue;
      slots[hole] = call;
      hole = at;
    }
    slots[hole] = undefined;
    // Who once had many under way and has nothing now, has nothing.
    if (this.#size === 0 && slots.length > MAX_EMPTY_SLOTS) this.#move(MIN_SLOTS);
  }

  /** Those that are there now, in the order of their ids modulo 2^32 (RFC 1982). */
  values(): T[] {
    return this.#slots.filter((call) => call !== undefined).sort((a, b) => (a.id - b.id) | 0);
  }

  /** Where a call is if no other is there. */
  #homeOf(id: number): number {
    return Math.imul(id, SPREAD) >>> this.#shift;
  }

  /** Where a call is, or would be. */
  #slotOf(id: number): number {
    const mask = this.#slots.length - 1;
    let at = this.#homeOf(id);
    for (let call = this.#slots[at]; call !== undefined && call.id !== id; call = this.#slots[at])
      at = (at + 1) & mask;
    return at;
  }

  #move(length: number): void {
    const before = this.#slots;
    this.#slots = slotsOf(length);
    this.#shift = shiftOf(length);
    for (const call of before) if (call !== undefined) this.#slots[this.#slotOf(call.id)] = call;
  }
}

/** @param length a power of two. */
const shiftOf = (length: number): number => Math.clz32(length) + 1;

const slotsOf = <T>(length: number): (T | undefined)[] => Array<T | undefined>(length).fill(undefined);
