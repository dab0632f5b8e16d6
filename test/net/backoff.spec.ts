import { describe, expect, it } from '@jest/globals';
import { backoffDelayMs } from '../../src/net/backoff.js';

const settings = { reconnectDelayMs: 10, maxReconnectDelayMs: 250 };

describe('backoffDelayMs', () => {
  it('doubles its ceiling with each attempt, up to the longest', () => {
    const ceilings = [0, 1, 2, 3, 4, 5, 6, 60, 2000].map((attempt) =>
      backoffDelayMs(attempt, settings, 0.999_999),
    );
    expect(ceilings).toEqual([10, 20, 40, 80, 160, 250, 250, 250, 250]);
  });

  it('takes any time below the ceiling, so that clients do not come in step', () => {
    expect([0, 0.1, 0.5].map((random) => backoffDelayMs(3, settings, random))).toEqual([0, 8, 40]);
  });

  it('never waits longer than the longest, also where that is below the first', () => {
    expect(backoffDelayMs(0, { reconnectDelayMs: 100, maxReconnectDelayMs: 7 }, 0.99)).toBe(7);
  });
});
