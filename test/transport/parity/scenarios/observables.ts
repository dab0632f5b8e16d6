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
    given('one value', () => of('yes'), completes('yes')),
    given('no value', () => EMPTY, completes()),
    given('fifty values, all at once', () => from(FIFTY), completes(...FIFTY)),
    given('fifty values, each in a turn of its own', () => inTurns(...FIFTY), completes(...FIFTY)),
    given('a promise of an Observable', async () => of(1, 2), completes(1, 2)),
    given(
      'an Observable that emits an Observable and a promise: they are values',
      () => of(of(1), Promise.resolve(1)),
      completes({}, {}),
    ),
    given('an error in place of values', () => noStock, fails(NO_STOCK)),
    given('an error after three values', () => concat(of(1, 2, 3), noStock), fails(NO_STOCK, 1, 2, 3)),
    given(
      'an error after three values, each in a turn of its own',
      () => concat(inTurns(1, 2, 3), noStock),
      fails(NO_STOCK, 1, 2, 3),
    ),
    given('a function that throws after two values', () => throwing(1, 2), fails(NO_STOCK, 1, 2)),
    given('values after the end: nobody sees them', neverQuiet, completes('before')),
    given(
      'undefined and null among the values',
      () => of(undefined, 1, undefined, null, 2),
      completes(undefined, 1, undefined, null, 2),
    ),
    given(
      'undefined and null among values, each in a turn of its own',
      () => inTurns(undefined, 1, undefined, null, 2),
      completes(undefined, 1, undefined, null, 2),
    ),
    given(
      'undefined as the last value, and the end with it: it is no value',
      () => of(1, undefined),
      completes(1),
    ),
    given(
      'undefined as the last value, and the end a microtask later: it is no value',
      () => endingAMicrotaskLater(undefined, undefined),
      completes(undefined),
    ),
    given(
      'undefined as the second value, and the end a tick later: it is no value',
      () => endingATickLater(1, undefined),
      completes(1),
    ),
    given(
      'undefined as the second value of a later turn, and the end a microtask later: it is no value',
      () => endingInItsTurn(1, undefined),
      completes(1),
    ),
    given(
      'undefined as the last value, and the end a turn later: it is one',
      () => inTurns(1, undefined),
      completes(1, undefined),
    ),
    given('null as the last value: it is one', () => of(1, null), completes(1, null)),
    given(
      'undefined, and then an error: it is a value',
      () => concat(of(undefined), noStock),
      fails(NO_STOCK, undefined),
    ),
  ],
};
