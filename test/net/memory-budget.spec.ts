import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { LITTLE_BYTES, MemoryBudget, MemoryShare } from '../../src/net/memory-budget.js';
import { EVENT_COST_BYTES } from '../../src/protocol/call.js';
import { turns, until } from '../support/wait.js';

const KIB = 1024;
const HALF = 1024 * KIB;

/** One connection: what it holds, and whether it may read on. */
class Holder {
  mayRead = true;
  /** How often it said what it holds. */
  holds = 0;
  frameBytes = 0;
  usedBytes = 0;
  readonly #share: MemoryShare;

  constructor(budget: MemoryBudget) {
    this.#share = new MemoryShare(budget, () => this.hold());
  }

  hold(frameBytes = this.frameBytes, usedBytes = this.usedBytes): void {
    this.holds += 1;
    [this.frameBytes, this.usedBytes] = [frameBytes, usedBytes];
    this.mayRead = this.#share.hold(frameBytes, frameBytes, usedBytes);
  }
}

describe('what all connections hold', () => {
  it('is not waited for by two who end one frame and begin a longer one at once', async () => {
    const budget = new MemoryBudget(2 * HALF);
    const [first, second] = [new Holder(budget), new Holder(budget)];
    first.hold(400 * KIB);
    second.hold(400 * KIB);
    first.hold(700 * KIB);
    second.hold(700 * KIB);
    await turns();
    expect([first.mayRead, second.mayRead]).toEqual([true, false]);
    first.hold(0);
    await turns();
    expect(second.mayRead).toBe(true);
  });

  it('always has room for one frame, however long it is and whatever calls hold', () => {
    const budget = new MemoryBudget(2 * HALF);
    const [busy, first, second] = [new Holder(budget), new Holder(budget), new Holder(budget)];
    busy.hold(0, HALF / 2);
    first.hold(10 * HALF);
    second.hold(LITTLE_BYTES + 1);
    expect([first.mayRead, second.mayRead]).toEqual([true, false]);
  });

  it('is given in the order in which it was asked for: a short frame does not overtake a long one', async () => {
    const budget = new MemoryBudget(2 * HALF);
    const [holder, long, short] = [new Holder(budget), new Holder(budget), new Holder(budget)];
    holder.hold(600 * KIB);
    long.hold(700 * KIB);
    short.hold(100 * KIB);
    expect([long.mayRead, short.mayRead]).toEqual([false, false]);
    holder.hold(0);
    await turns();
    expect([long.mayRead, short.mayRead]).toEqual([true, true]);
  });

  it('wakes nobody who is behind one that has to wait on', async () => {
    const budget = new MemoryBudget(2 * HALF);
    const holder = new Holder(budget);
    const waiting = Array.from({ length: 100 }, () => new Holder(budget));
    holder.hold(900 * KIB);
    for (const each of waiting) each.hold(800 * KIB);
    const before = waiting.reduce((sum, { holds }) => sum + holds, 0);
    holder.hold(850 * KIB);
    await turns();
    expect(waiting.reduce((sum, { holds }) => sum + holds, 0) - before).toBeLessThan(5);
  });

  it('is read in pieces that fit in what is free, however much their calls take', () => {
    const budget = new MemoryBudget(2 * HALF);
    const busy = new Holder(budget);
    for (const usedBytes of [0, 0.5 * HALF, HALF, 2 * HALF]) {
      busy.hold(0, usedBytes);
      const freeBytes = Math.max(LITTLE_BYTES, HALF - usedBytes);
      // Of the shortest events.
      expect((budget.pieceBytes / 22) * EVENT_COST_BYTES).toBeLessThan(freeBytes);
    }
  });

  it('waits for the room of the call that a frame is going to be, while calls hold all', async () => {
    const budget = new MemoryBudget(2 * HALF);
    const [busy, first, second] = [new Holder(budget), new Holder(budget), new Holder(budget)];
    first.hold(600 * KIB);
    busy.hold(0, HALF / 2);
    second.hold(200 * KIB);
    expect(second.mayRead).toBe(false);
    busy.hold(0, 2 * LITTLE_BYTES);
    await turns();
    expect(second.mayRead).toBe(true);
  });

  it('of calls is not taken by frames that were only announced', () => {
    const budget = new MemoryBudget(2 * HALF);
    new Holder(budget).hold(1.5 * HALF);
    const busy = new Holder(budget);
    busy.hold(0, 0.4 * HALF);
    expect(busy.mayRead).toBe(true);
  });

  it('comes to nothing again, and everybody reads on, whatever they held and in whatever order', async () => {
    const hold = fc.record({
      who: fc.nat(4),
      frameBytes: fc.constantFrom(0, 10, LITTLE_BYTES, LITTLE_BYTES + 10, 300 * KIB, 700 * KIB, 3 * HALF),
      usedBytes: fc.constantFrom(0, 10, LITTLE_BYTES + 10, 300 * KIB, 900 * KIB),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(hold, { maxLength: 30 }), async (holds) => {
        const budget = new MemoryBudget(2 * HALF);
        const holders = Array.from({ length: 5 }, () => new Holder(budget));
        // Who may not read does not go on: only its calls end.
        for (const { who, frameBytes, usedBytes } of holds) {
          const holder = holders[who]!;
          if (holder.mayRead) holder.hold(frameBytes, usedBytes);
          else holder.hold(holder.frameBytes, Math.min(holder.usedBytes, usedBytes));
        }
        for (const holder of holders) holder.hold(holder.frameBytes, 0);
        // Whoever has room for its frame reads it to its end.
        const goOn = (): boolean => {
          for (const holder of holders) if (holder.mayRead) holder.hold(0);
          return holders.every(({ mayRead, frameBytes }) => mayRead && frameBytes === 0);
        };
        await until(goOn, 'everybody has read his frame');
        expect(budget.freeBytes).toBe(HALF);
      }),
      { numRuns: 100 },
    );
  });
});
