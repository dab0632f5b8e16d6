import { describe, expect, it } from '@jest/globals';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
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

  it('gives a long queue in its order, in a time that grows with its length', async () => {
    const COUNT = 500_000;
    const queue = new WaitQueue<{ deadlineMs: number; index: number }>(COUNT, () => undefined);
    for (let index = 0; index < COUNT; index += 1) queue.add({ deadlineMs: Infinity, index });
    let expected = 0;
    for (let item = queue.first; item !== undefined; item = queue.first) {
      if (item.index !== expected) throw new Error(`${item.index} came in place of ${expected}`);
      expected += 1;
      queue.delete(item);
      // Else the limit of the test, which is what fails it, would never ring.
      if (expected % 1000 === 0) await new Promise(setImmediate);
    }
    expect(expected).toBe(COUNT);
  });

  it('gives what was added after it had run empty, and passes over what has left from the middle', () => {
    const queue = new WaitQueue<{ deadlineMs: number }>(10, () => undefined);
    const items = Array.from({ length: 6 }, () => ({ deadlineMs: Infinity }));
    const [first, second, third, fourth, fifth, sixth] = items;
    expect(queue.first).toBeUndefined();
    for (const item of [first!, second!, third!]) queue.add(item);
    expect(queue.first).toBe(first);
    queue.delete(second!);
    queue.delete(first!);
    expect(queue.first).toBe(third);
    queue.delete(third!);
    expect(queue.first).toBeUndefined();
    for (const item of [fourth!, fifth!, sixth!]) queue.add(item);
    queue.delete(fourth!);
    expect(queue.first).toBe(fifth);
    queue.delete(sixth!);
    expect(queue.first).toBe(fifth);
  });

  it('keeps nothing of what has left, however much came and went', async () => {
    setFlagsFromString('--expose-gc');
    const collectGarbage = runInNewContext('gc') as () => void;
    const queue = new WaitQueue<Item>(10, () => undefined);
    const gone: WeakRef<Item>[] = [];
    let before = item('first');
    queue.add(before);
    for (let count = 0; count < 1000; count += 1) {
      const next = item('next');
      queue.add(next);
      queue.delete(before);
      gone.push(new WeakRef(before));
      before = next;
    }
    queue.delete(before);
    await new Promise(setImmediate);
    collectGarbage();
    expect(gone.filter((ref) => ref.deref() !== undefined).length).toBeLessThan(10);
  });
});
