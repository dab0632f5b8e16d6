import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { CallTable } from '../../src/protocol/call-table.js';

interface Call {
  readonly id: number;
}

const MAX_ID = 0xffffffff;

/** Ids as they are given in a row, and ids that a peer chose so that they want the same slots. */
const ids = fc.oneof(
  fc.integer({ min: 1, max: 64 }),
  fc.integer({ min: 1, max: 64 }).map((turn) => turn * 1024),
  fc.integer({ min: MAX_ID - 32, max: MAX_ID }),
);

const steps = fc.array(fc.record({ isAdded: fc.boolean(), id: ids }), { maxLength: 400, size: 'max' });

describe('a table of calls', () => {
  it('has what was added and not deleted, whatever the ids', () => {
    fc.assert(
      fc.property(steps, (all) => {
        const table = new CallTable<Call>();
        const model = new Map<number, Call>();
        for (const { isAdded, id } of all) {
          if (!isAdded) {
            table.delete(id);
            model.delete(id);
          } else if (!model.has(id)) {
            const call = { id };
            table.add(call);
            model.set(id, call);
          }
          expect(table.size).toBe(model.size);
        }
        for (const { id } of all) expect(table.get(id)).toBe(model.get(id));
        expect(new Set(table.values())).toEqual(new Set(model.values()));
      }),
    );
  });

  it('gives its calls in the order of their ids, also past 2^32', () => {
    const table = new CallTable<Call>();
    const inOrder = [MAX_ID - 1, MAX_ID, 1, 2, 3];
    for (const id of [2, MAX_ID, 3, 1, MAX_ID - 1]) table.add({ id });
    expect(table.values().map(({ id }) => id)).toEqual(inOrder);
  });

  it('gives those that were there as it was asked, so that they may be deleted meanwhile', () => {
    const table = new CallTable<Call>();
    for (let id = 1; id <= 100; id += 1) table.add({ id });
    for (const { id } of table.values()) table.delete(id);
    expect(table.size).toBe(0);
    expect(table.values()).toEqual([]);
  });

  it('takes as many as there are', () => {
    const table = new CallTable<Call>();
    for (let id = 1; id <= 10_000; id += 1) table.add({ id });
    for (let id = 1; id <= 10_000; id += 2) table.delete(id);
    expect(table.size).toBe(5_000);
    expect(table.has(1)).toBe(false);
    expect(table.get(10_000)).toEqual({ id: 10_000 });
  });

  it('is worked off in a time that grows with how many there are, where they leave in the order in which they came', () => {
    const timeMs = (count: number): number => {
      const table = new CallTable<Call>();
      for (let id = 1; id <= count; id += 1) table.add({ id });
      const beganMs = performance.now();
      for (let id = 1; id <= count; id += 1) table.delete(id);
      return performance.now() - beganMs;
    };
    const leastMs = (count: number): number => Math.min(...Array.from({ length: 5 }, () => timeMs(count)));
    leastMs(1_000);
    // Eight times as many: 64 times as long where each looks at all behind it.
    expect(leastMs(32_000) / leastMs(4_000)).toBeLessThan(30);
  });
});
