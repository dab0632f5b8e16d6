import { describe, expect, it } from '@jest/globals';
import { WaitQueue } from '../../src/net/wait-queue.js';
import { until } from '../support/wait.js';

interface Item {
  readonly name: string;
  readonly deadlineMs: number;
}

const item = (name: string, inMs = Infinity): Item => ({ name, deadlineMs: performance.now() + inMs });

describe('WaitQueue', () => {
  it('keeps the order, and takes no more than its limit', () => {
    const queue = new WaitQueue<Item>(2, () => undefined);
    const [first, second, third] = [item('first'), item('second'), item('third')];
    expect([first, second, third].map((added) => queue.add(added))).toEqual([true, true, false]);
    expect(queue.first).toBe(first);
    queue.delete(first);
    expect(queue.first).toBe(second);
    expect(queue.add(third)).toBe(true);
    expect(queue.size).toBe(2);
  });

  it('hands over what has waited too long, each in its time, and keeps the rest', async () => {
    const expired: string[] = [];
    const queue = new WaitQueue<Item>(10, ({ name }) => expired.push(name));
    for (const added of [item('late', 80), item('early', 20), item('never'), item('soon', 50)])
      queue.add(added);
    await until(() => expired.length === 3, 'three have expired');
    expect(expired).toEqual(['early', 'soon', 'late']);
    expect(queue.first?.name).toBe('never');
  });

  it('never hands over what was taken out', async () => {
    const expired: string[] = [];
    const queue = new WaitQueue<Item>(10, ({ name }) => expired.push(name));
    const taken = item('taken', 10);
    queue.add(taken);
    queue.add(item('kept', 30));
    queue.delete(taken);
    await until(() => expired.length > 0, 'one has expired');
    expect(expired).toEqual(['kept']);
  });

  it('waits for a deadline that is further away than a timer of Node holds', async () => {
    const expired: string[] = [];
    const queue = new WaitQueue<Item>(10, ({ name }) => expired.push(name));
    const far = item('far', 2 ** 40);
    queue.add(far);
    queue.add(item('near', 20));
    await until(() => expired.length > 0, 'one has expired');
    expect(expired).toEqual(['near']);
    // leaves no timer behind: the leak check would see it
    queue.delete(far);
  });
});
