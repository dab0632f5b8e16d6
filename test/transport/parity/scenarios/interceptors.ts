import {
  type CallHandler,
  Controller,
  type ExecutionContext,
  Injectable,
  type NestInterceptor,
  type Type,
  UseInterceptors,
} from '@nestjs/common';
import { APP_INTERCEPTOR } from '@nestjs/core';
import { EventPattern, MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import {
  catchError,
  concat,
  EMPTY,
  finalize,
  from,
  map,
  mergeMap,
  type Observable,
  of,
  retry,
  tap,
  throwError,
  timeout,
  toArray,
} from 'rxjs';
import { ask, type Context, INTERNAL, refused } from '../calls.js';
import { equal, exception, type Row, type Scenario, type See } from '../row.js';
import { completes, fails, trace, type Trace } from '../trace.js';
import { type Application, Journal, served } from '../world.js';

type Intercept = NestInterceptor['intercept'];

@Controller()
class Handlers {
  #calls = 0;

  constructor(private readonly journal: Journal) {}

  @MessagePattern('value')
  value(@Payload() data: unknown): unknown {
    this.journal.note('handler');
    return data;
  }

  @MessagePattern('nothing')
  nothing(): void {
    this.journal.note('handler');
  }

  @MessagePattern('never')
  never(): Promise<never> {
    return new Promise(() => {});
  }

  @MessagePattern('throws')
  throws(): never {
    throw new Error('thrown');
  }

  @MessagePattern('third time')
  thirdTime(): number {
    this.#calls += 1;
    if (this.#calls < 3) throw new Error('not yet');
    return this.#calls;
  }

  @MessagePattern('stream')
  stream(): Observable<number> {
    return from([1, 2, 3]);
  }

  @MessagePattern('generator')
  async *generator(): AsyncGenerator<number> {
    yield 1;
    yield 2;
  }

  @EventPattern('event')
  event(@Payload() data: unknown): unknown {
    this.journal.note(data);
    return data;
  }
}

/** An application whose handlers are all behind these, the first one outermost. */
const behind = (...interceptors: ((journal: Journal) => Intercept)[]): Application => ({
  controllers: [Handlers],
  prepare: (nest, _server, journal) =>
    nest.useGlobalInterceptors(...interceptors.map((make) => ({ intercept: make(journal) }))),
});

/** An interceptor that does this to what the handler gives. */
const through =
  (change: (given: Observable<unknown>, journal: Journal) => Observable<unknown>) =>
  (journal: Journal): Intercept =>
  (_context, next: CallHandler<unknown>) =>
    change(next.handle(), journal);

/** What the caller sees of a handler behind interceptors, and what is noted. */
const asked = (pattern: string, app: Application): See =>
  served(app, async (world) => ({
    answer: await ask(world, pattern),
    notes: world.journal.notes,
  }));

interface Call {
  readonly pattern?: string;
  readonly behind: (journal: Journal) => Intercept;
  readonly answer: Trace;
  readonly notes?: readonly unknown[];
}

const answers = (says: string, { pattern = 'value', behind: make, answer, notes = [] }: Call): Row =>
  equal(says, asked(pattern, behind(make)), { answer, notes });

const double = map((value: unknown) => (typeof value === 'number' ? value * 2 : [value, value]));

const noting =
  (name: string) =>
  (journal: Journal): Intercept =>
  (_context, next) => {
    journal.note(`${name}: before`);
    return next.handle().pipe(tap(() => journal.note(`${name}: after`)));
  };

/** The same as a class, made by Nest. */
function injected(name: string): Type<NestInterceptor> {
  @Injectable()
  class Noting implements NestInterceptor {
    constructor(private readonly journal: Journal) {}

    intercept(context: ExecutionContext, next: CallHandler): ReturnType<Intercept> {
      return noting(name)(this.journal)(context, next);
    }
  }
  return Noting;
}

@UseInterceptors(injected('controller'))
@Controller()
class Ordered {
  constructor(private readonly journal: Journal) {}

  @UseInterceptors(injected('method'))
  @MessagePattern('ordered')
  ordered(): string {
    this.journal.note('handler');
    return 'x';
  }
}

const changing: readonly Row[] = [
  answers('an interceptor that maps the answer', {
    behind: through((given) => given.pipe(double)),
    answer: completes(['x', 'x']),
    notes: ['handler'],
  }),
  answers('an interceptor that maps each value of a stream', {
    pattern: 'stream',
    behind: through((given) => given.pipe(double)),
    answer: completes(2, 4, 6),
  }),
  answers('an interceptor with `toArray()`', {
    pattern: 'stream',
    behind: through((given) => given.pipe(toArray())),
    answer: completes([1, 2, 3]),
  }),
  answers('an interceptor with `concat` before and after', {
    behind: through((given) => concat(of('first'), given, of('last'))),
    answer: completes('first', 'x', 'last'),
    notes: ['handler'],
  }),
  answers('an interceptor before a handler that returns nothing', {
    pattern: 'nothing',
    behind: through((given) => given),
    answer: completes(),
    notes: ['handler'],
  }),
  answers('an interceptor that answers without the handler', {
    behind: () => () => of('cached'),
    answer: completes('cached'),
  }),
  answers('an async interceptor that answers without the handler', {
    behind: () => async () => Promise.resolve(of('cached')),
    answer: completes('cached'),
  }),
  answers('an interceptor that returns `EMPTY`', { behind: () => () => EMPTY, answer: completes() }),
  answers('an interceptor with `tap` and `finalize`', {
    pattern: 'stream',
    behind: through((given, journal) =>
      given.pipe(
        tap({ next: (value) => journal.note(value), complete: () => journal.note('complete') }),
        finalize(() => journal.note('finalize')),
      ),
    ),
    answer: completes(1, 2, 3),
    notes: [1, 2, 3, 'complete', 'finalize'],
  }),
];

const failing: readonly Row[] = [
  answers('an interceptor with `timeout`', {
    pattern: 'never',
    behind: through((given) =>
      given.pipe(
        timeout(20),
        catchError(() => throwError(() => new RpcException('too late'))),
      ),
    ),
    answer: refused('too late'),
  }),
  answers('an interceptor with `catchError` that returns a value', {
    pattern: 'throws',
    behind: through((given) => given.pipe(catchError((error: Error) => of(`caught: ${error.message}`)))),
    answer: completes('caught: thrown'),
  }),
  answers('an interceptor with `catchError` that throws an RpcException', {
    pattern: 'throws',
    behind: through((given) =>
      given.pipe(catchError((error: Error) => throwError(() => new RpcException({ why: error.message })))),
    ),
    answer: fails({ why: 'thrown' }),
  }),
  answers('an interceptor with `retry`', {
    pattern: 'third time',
    behind: through((given) => given.pipe(retry(2))),
    answer: completes(3),
  }),
  answers('an interceptor that throws', {
    behind: () => () => {
      throw new RpcException('no');
    },
    answer: refused('no'),
  }),
  answers('an interceptor that fails in mid-stream', {
    pattern: 'stream',
    behind: through((given) =>
      given.pipe(mergeMap((value) => (value === 2 ? throwError(() => new Error('two')) : of(value)))),
    ),
    answer: { ...INTERNAL, values: [1] },
  }),
];

const others: readonly Row[] = [
  equal(
    'the order of interceptors: injected, global, controller, method, and back',
    served(
      {
        controllers: [Ordered],
        providers: [{ provide: APP_INTERCEPTOR, useClass: injected('injected') }],
        prepare: (nest, _server, journal) =>
          nest.useGlobalInterceptors({ intercept: noting('global')(journal) }),
      },
      async (world) => {
        await ask(world, 'ordered');
        return world.journal.notes;
      },
    ),
    [
      ...['injected: before', 'global: before', 'controller: before', 'method: before'],
      'handler',
      ...['method: after', 'controller: after', 'global: after', 'injected: after'],
    ],
  ),
  equal(
    'the ExecutionContext of an interceptor',
    asked(
      'value',
      behind((journal) => (context, next) => {
        const rpc = context.switchToRpc();
        journal.note([context.getType(), context.getClass().name, context.getHandler().name]);
        journal.note([rpc.getData(), rpc.getContext<Context>().getPattern()]);
        return next.handle();
      }),
    ),
    { answer: completes('x'), notes: [['rpc', 'Handlers', 'value'], ['x', 'value'], 'handler'] },
  ),
  equal(
    'an interceptor of an event: what the handler returns goes through it',
    served(behind(noting('first'), noting('second')), async (world) => {
      await trace(world.client.emit('event', 'x'));
      return world.journal.whenNoted(5);
    }),
    ['first: before', 'second: before', 'x', 'second: after', 'first: after'],
  ),
  exception(
    'an interceptor on an async-generator handler',
    asked('generator', behind(through((given) => given))),
    {
      tcp: { says: 'an empty object arrives', sees: { answer: completes({}), notes: [] } },
      uds: { says: 'what it yields arrives', sees: { answer: completes(1, 2), notes: [] } },
      because: 'A generator is a stream, and nobody wants an empty object for it.',
    },
  ),
];

export const interceptors: Scenario = { title: 'Interceptors', rows: [...changing, ...failing, ...others] };
