import { RpcException } from '@nestjs/microservices';
import { concat, EMPTY, from, Observable, of, throwError } from 'rxjs';
import { given, inTurns } from '../asked.js';
import type { Scenario } from '../row.js';
import { completes, fails } from '../trace.js';

const FIFTY = Array.from({ length: 50 }, (_, index) => index);
const NO_STOCK = { status: 'error', message: 'no stock' };
const noStock = throwError(() => new RpcException('no stock'));

/** It goes on after it has ended, at once and later. */
const neverQuiet = (): Observable<unknown> =>
  new Observable((observer) => {
    observer.next('before');
    observer.complete();
    observer.next('after');
    setImmediate(() => observer.next('long after'));
  });

/** Its function throws, in place of using `error`. */
const throwing = (...values: unknown[]): Observable<unknown> =>
  new Observable((observer) => {
    for (const value of values) observer.next(value);
    throw new RpcException('no stock');
  });

/** It ends in the microtask after its values. */
const endingAMicrotaskLater = (...values: unknown[]): Observable<unknown> =>
  new Observable((observer) => {
    for (const value of values) observer.next(value);
    queueMicrotask(() => observer.complete());
  });

/** It gives two values in one tick, and ends in the next. */
const endingATickLater = (first: unknown, second: unknown): Observable<unknown> =>
  new Observable((observer) => {
    observer.next(first);
    observer.next(second);
    process.nextTick(() => observer.complete());
  });

/** The same in a turn of its own, with the end in its first microtask. */
const endingInItsTurn = (first: unknown, second: unknown): Observable<unknown> =>
  new Observable((observer) => {
    setImmediate(() => {
      observer.next(first);
      observer.next(second);
      queueMicrotask(() => observer.complete());
    });
  });

export const observables: Scenario = {
  title: 'Observables',
  rows: [
    given('an Observable of one value', () => of('yes'), completes('yes')),
    given('an Observable of no value', () => EMPTY, completes()),
    given('an Observable of 50 values in one tick', () => from(FIFTY), completes(...FIFTY)),
    given(
      'an Observable of 50 values, each in a turn of its own',
      () => inTurns(...FIFTY),
      completes(...FIFTY),
    ),
    given('a handler that returns a promise of an Observable', async () => of(1, 2), completes(1, 2)),
    given(
      'Observables and promises inside an Observable are not flattened: `{}` arrives',
      () => of(of(1), Promise.resolve(1)),
      completes({}, {}),
    ),
    given('an Observable that fails before any value', () => noStock, fails(NO_STOCK)),
    given(
      'an Observable that fails after three values',
      () => concat(of(1, 2, 3), noStock),
      fails(NO_STOCK, 1, 2, 3),
    ),
    given(
      'an Observable that fails after three values, each in a turn of its own',
      () => concat(inTurns(1, 2, 3), noStock),
      fails(NO_STOCK, 1, 2, 3),
    ),
    given(
      'a function of `new Observable(…)` that throws after two values',
      () => throwing(1, 2),
      fails(NO_STOCK, 1, 2),
    ),
    given('values that an Observable emits after `complete()` are dropped', neverQuiet, completes('before')),
    given(
      'undefined and null among the values of an Observable',
      () => of(undefined, 1, undefined, null, 2),
      completes(undefined, 1, undefined, null, 2),
    ),
    given(
      'undefined and null among the values of an Observable, each in a turn of its own',
      () => inTurns(undefined, 1, undefined, null, 2),
      completes(undefined, 1, undefined, null, 2),
    ),
    given('a trailing `undefined`, completed at once: dropped', () => of(1, undefined), completes(1)),
    given(
      'a trailing `undefined` behind another one, completed a microtask later: dropped',
      () => endingAMicrotaskLater(undefined, undefined),
      completes(undefined),
    ),
    given(
      'a trailing `undefined`, completed in `process.nextTick`: dropped',
      () => endingATickLater(1, undefined),
      completes(1),
    ),
    given(
      'a trailing `undefined` of a later turn, completed a microtask later: dropped',
      () => endingInItsTurn(1, undefined),
      completes(1),
    ),
    given(
      'a trailing `undefined`, completed a turn of the event loop later: it arrives',
      () => inTurns(1, undefined),
      completes(1, undefined),
    ),
    given('a trailing `null`: it arrives', () => of(1, null), completes(1, null)),
    given(
      'a trailing `undefined` before an error: it arrives',
      () => concat(of(undefined), noStock),
      fails(NO_STOCK, undefined),
    ),
  ],
};
