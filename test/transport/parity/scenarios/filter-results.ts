import { RpcException } from '@nestjs/microservices';
import { concat, EMPTY, of, throwError } from 'rxjs';
import { ask, askAndLook, askOrWait, UNKNOWN_ERROR } from '../asked.js';
import { filter, filtered } from '../filtered.js';
import { equal, exception, type Row, type Scenario, type See } from '../row.js';
import { completes, fails, type Trace, waits } from '../trace.js';
import { boot, served } from '../world.js';

const noStock = (): Error => new Error('no stock');

const rejecting = (): Promise<never> => Promise.reject(noStock());
const streaming = (): unknown => concat(of(1, 2), throwError(noStock));

const behind = (give: (error: unknown) => unknown, answer: () => unknown, look = askAndLook): See =>
  served(filtered({ method: [filter(give)] }, answer), look);

const failing = (error: unknown): never => {
  throw error;
};

/** What a filter gives for the error of a handler, and what the caller sees. */
const given = (says: string, give: () => unknown, sees: Trace): Row =>
  equal(says, behind(give, rejecting), { ...sees, log: [] });

/** The same for the error of an Observable, which comes after two values. */
const inStream = (says: string, give: () => unknown, sees: Trace): Row =>
  equal(says, behind(give, streaming), { ...sees, log: [] });

const NO_ERRORS = [undefined, null, false, 0, ''];

/** A filter that gives each call the next of some errors. */
const givenInTurn = (errors: readonly unknown[]): See => {
  return async (kit) => {
    const rest = [...errors];
    const world = await boot(
      kit,
      filtered({ method: [filter(() => throwError(() => rest.shift()))] }, rejecting),
    );
    const seen: Trace[] = [];
    while (rest.length > 0) seen.push(await ask(world));
    return seen;
  };
};

/** The error went past the filter. */
const untold = (...before: unknown[]): unknown => ({ ...fails(UNKNOWN_ERROR, ...before), log: ['no stock'] });

const COULD_NOT_TELL = {
  says: 'fails with HANDLER_FAILED',
  told: 'RemoteError HANDLER_FAILED',
};

/** A filter that fails itself. */
const broken = (
  says: string,
  give: (error: unknown) => unknown,
  ours: { says: string; told: unknown },
  tcpLog: string[],
  udsLog: string[],
): Row =>
  exception(says, behind(give, rejecting, askOrWait), {
    tcp: { says: 'waits for ever', sees: { ...waits(), log: tcpLog } },
    uds: { says: ours.says, sees: { ...fails(ours.told), log: udsLog } },
    because: 'Every call ends, whatever its filters do.',
  });

export const filterResults: Scenario = {
  title: 'What an exception filter returns',
  rows: [
    given(
      'a filter that returns `throwError` of an object',
      () => throwError(() => ({ left: 0 })),
      fails({ left: 0 }),
    ),
    given(
      'a filter that returns `throwError` of a string',
      () => throwError(() => 'no tea'),
      fails('no tea'),
    ),
    given(
      'a filter that returns `throwError` of an Error',
      () => throwError(() => new Error('no tea')),
      fails({}),
    ),
    given(
      'a filter that returns `throwError` of an RpcException',
      () => throwError(() => new RpcException('no tea')),
      fails({ error: 'no tea', message: 'no tea' }),
    ),
    equal(
      '`throwError` of a falsy value in a filter: the call completes without a value',
      givenInTurn(NO_ERRORS),
      [...NO_ERRORS.map(() => completes())],
    ),
    given('a filter that returns an Observable of values', () => of('some', 'tea'), completes('some', 'tea')),
    given('a filter that returns an Observable of no value', () => EMPTY, completes()),
    given('a filter that returns a value', () => 'some tea', completes('some tea')),
    given('a filter that returns a promise of a value', async () => 'some tea', completes('some tea')),
    equal(
      "a filter that returns nothing: Nest's own filter tells the error",
      behind(() => undefined, rejecting),
      untold(),
    ),
    inStream(
      'a filter that returns `throwError` of an object for a failed stream',
      () => throwError(() => ({ left: 0 })),
      fails({ left: 0 }, 1, 2),
    ),
    inStream(
      'a filter that returns an Observable of values for a failed stream',
      () => of('some', 'tea'),
      completes(1, 2, 'some', 'tea'),
    ),
    inStream(
      'a filter that returns a string for a failed stream: one value a letter',
      () => 'tea',
      completes(1, 2, 't', 'e', 'a'),
    ),
    inStream('a filter that returns a number for a failed stream', () => 404, fails({}, 1, 2)),
    equal(
      "a filter that returns nothing for a failed stream: Nest's own filter tells the error",
      behind(() => undefined, streaming),
      untold(1, 2),
    ),
    inStream(
      'a filter that throws for a failed stream',
      () => failing(new Error('no filter')),
      fails({}, 1, 2),
    ),
    broken('a filter that throws the error again', failing, COULD_NOT_TELL, ['no stock'], ['no stock']),
    broken(
      'a filter that rejects',
      () => Promise.reject(new Error('no filter')),
      COULD_NOT_TELL,
      ['no filter'],
      ['no filter'],
    ),
    broken(
      'a filter that throws an RpcException',
      () => failing(new RpcException('no tea')),
      { says: "fails with that exception's error", told: { status: 'error', message: 'no tea' } },
      ['no tea'],
      [],
    ),
    exception(
      'a filter on a generator handler that throws',
      behind(
        () => 'some tea',
        async function* () {
          yield 1;
          throw noStock();
        },
      ),
      {
        tcp: {
          says: 'the generator never runs: its JSON is the answer',
          sees: { ...completes({}), log: [] },
        },
        uds: {
          says: "Nest's default filter tells it",
          sees: { ...fails(UNKNOWN_ERROR, 1), log: ['no stock'] },
        },
        because:
          'Nest has left its filters when a generator runs; as an error of the handler it is told all the same.',
      },
    ),
  ],
};
