import { firstValueFrom, type Observable } from 'rxjs';
import { types } from 'node:util';
import { UdsError } from '../../../src/index.js';
import { turns } from '../../support/wait.js';
import type { World } from './world.js';

/** What a subscriber saw. */
export interface Trace {
  readonly values: readonly unknown[];
  readonly end: 'completes' | 'waits' | { readonly error: unknown };
}

export const completes = (...values: unknown[]): Trace => ({ values, end: 'completes' });
export const fails = (error: unknown, ...values: unknown[]): Trace => ({ values, end: { error } });
export const waits = (...values: unknown[]): Trace => ({ values, end: 'waits' });

/** Subscribes, and gives all that came, once it has ended. */
export function trace(source: Observable<unknown>): Promise<Trace> {
  const values: unknown[] = [];
  return new Promise((resolve) => {
    source.subscribe({
      next: (value) => values.push(value),
      error: (error: unknown) => resolve(fails(show(error), ...values)),
      complete: () => resolve(completes(...values)),
    });
  });
}

/**
 * The same for an Observable that may never end: gives what came until a call that was made after it on the same
 * connection has been answered. `pattern` must answer at once.
 */
export async function traceBeside(
  source: Observable<unknown>,
  { client }: World,
  pattern: unknown,
): Promise<Trace> {
  const values: unknown[] = [];
  let end: Trace['end'] = 'waits';
  const subscription = source.subscribe({
    next: (value) => values.push(value),
    error: (error: unknown) => (end = { error: show(error) }),
    complete: () => (end = 'completes'),
  });
  for (let call = 0; call < 3; call += 1) await firstValueFrom(client.send(pattern, 'beside'));
  await turns();
  subscription.unsubscribe();
  return { values, end };
}

/** An error as a row says it: one of ours by its code, another by its message, what is no Error as it is. */
export function show(error: unknown): unknown {
  if (error instanceof UdsError) return `${error.name} ${error.code}`;
  if (error instanceof Error || types.isNativeError(error)) return `${error.name}: ${error.message}`;
  return error;
}

/** What a promise comes to. */
export async function settled(promise: Promise<unknown>): Promise<unknown> {
  return await promise.then(
    (value) => ({ resolves: value }),
    (error: unknown) => ({ rejects: show(error) }),
  );
}
