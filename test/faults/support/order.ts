import { expect } from '@jest/globals';
import type { Child } from '../../support/child.js';
import { until } from '../../support/wait.js';

/**
 * Gives a program an order, and waits until it has said one more line like that.
 *
 * @param line with the flags g and m, and the end of the line in it.
 */
export async function order(program: Child, what: string, line: RegExp): Promise<RegExpExecArray> {
  const find = (): RegExpExecArray[] => [...program.stdout.matchAll(line)];
  const before = find().length;
  program.write(`${what}\n`);
  await until(() => find().length > before, `it has done what it was told: ${what}`);
  return find()[before]!;
}

/** Waits for a program that must end well; gives what it said. */
export async function done(program: Child): Promise<string> {
  expect({ exit: await program.exit(), stderr: program.stderr }).toEqual({ exit: 0, stderr: '' });
  return program.stdout;
}

/** Tells a program to end, and waits until it has. */
export async function end(program: Child): Promise<void> {
  program.write('end\n');
  await done(program);
}
