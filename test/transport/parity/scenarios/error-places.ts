import { RpcException } from '@nestjs/microservices';
import { concat, defer, map, Observable, of, throwError } from 'rxjs';
import { askAndLook, asked, inTurns, UNKNOWN_ERROR } from '../asked.js';
import { equal, exception, type Row, type Scenario } from '../row.js';
import { completes, fails } from '../trace.js';
import { served } from '../world.js';

const noStock = (): Error => new Error('no stock');

const failing = (error: () => unknown): never => {
  throw error();
};

/** An Error that is thrown somewhere: the caller is told of it, the server logs it once. */
const at = (says: string, give: () => unknown, ...before: unknown[]): Row =>
  equal(says, served(asked(give), askAndLook), { ...fails(UNKNOWN_ERROR, ...before), log: ['no stock'] });

/** What fails as it is read. */
const inReading = (says: string, give: () => unknown, told: unknown, log: readonly string[]): Row =>
  exception(says, served(asked(give), askAndLook), {
    tcp: { says: 'is never read: its JSON is the answer', sees: { ...completes({}), log: [] } },
    uds: { says: "ends the stream, as any handler's error does", sees: { ...fails(told, 'one'), log } },
    because: 'A generator streams, so what it throws reaches the caller as what its handler throws.',
  });

async function* thenFails(error: () => unknown): AsyncGenerator<string> {
  yield 'one';
  failing(error);
}

function* thenFailsAtOnce(error: () => unknown): Generator<string> {
  yield 'one';
  failing(error);
}

export const errorPlaces: Scenario = {
  title: 'Where a handler throws',
  rows: [
    at('an Error thrown at once', () => failing(noStock)),
    at('an Error thrown in an async function', async () => failing(noStock)),
    at('an Error thrown in an async function, after a turn of the event loop', async () => {
      await new Promise((resolve) => void setImmediate(resolve));
      failing(noStock);
    }),
    at('an Error given to `throwError`', () => throwError(noStock)),
    at('an Error given to `throwError`, in a promise', async () => throwError(noStock)),
    at(
      'an Error in an Observable, after three values',
      () => concat(of(1, 2, 3), throwError(noStock)),
      1,
      2,
      3,
    ),
    at(
      'an Error in an Observable, after three values in turns of their own',
      () => concat(inTurns(1, 2, 3), throwError(noStock)),
      1,
      2,
      3,
    ),
    at(
      'an Error thrown in an rxjs operator',
      () => of(1, 2).pipe(map((value) => (value === 2 ? failing(noStock) : value))),
      1,
    ),
    at('an Error thrown in the factory of `defer()`', () => defer(() => failing(noStock))),
    at('an Error thrown in `new Observable(…)`', () => new Observable(() => failing(noStock))),
    inReading('an Error thrown in an async generator', () => thenFails(noStock), UNKNOWN_ERROR, ['no stock']),
    inReading('an Error thrown in a generator', () => thenFailsAtOnce(noStock), UNKNOWN_ERROR, ['no stock']),
    inReading(
      'an RpcException thrown in an async generator',
      () => thenFails(() => new RpcException({ left: 0 })),
      { left: 0 },
      [],
    ),
    exception(
      'an Error thrown in an async generator that an Observable emits',
      served(
        asked(() => of('before', thenFails(noStock), 'behind')),
        askAndLook,
      ),
      {
        tcp: {
          says: 'is never read: its JSON is a value',
          sees: { ...completes('before', {}, 'behind'), log: [] },
        },
        uds: {
          says: 'ends the stream',
          sees: { ...fails(UNKNOWN_ERROR, 'before', 'one'), log: ['no stock'] },
        },
        because: 'A generator streams, wherever it is found, and a stream ends with its first error.',
      },
    ),
  ],
};
