import { Controller, type PreRequestHook, UseGuards } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import {
  catchError,
  EMPTY,
  finalize,
  from,
  map,
  mergeMap,
  type Observable,
  of,
  tap,
  throwError,
  timer,
} from 'rxjs';
import { ask, type Context, FORBIDDEN, INTERNAL, refused, tell } from '../calls.js';
import { equal, type Row, type Scenario, type See } from '../row.js';
import { completes, trace, type Trace } from '../trace.js';
import { type Application, Journal, served } from '../world.js';

@Controller()
class Handlers {
  constructor(private readonly journal: Journal) {}

  @MessagePattern('value')
  value(@Payload() data: unknown): unknown {
    this.journal.note('handler');
    return data;
  }

  @MessagePattern('stream')
  stream(): Observable<number> {
    return from([1, 2]);
  }

  @MessagePattern('throws')
  throws(): never {
    throw new Error('thrown');
  }

  @UseGuards({ canActivate: () => false })
  @MessagePattern('guarded')
  guarded(): string {
    return 'never';
  }

  @EventPattern('event')
  event(@Payload() data: unknown): void {
    this.journal.note(data);
  }
}

/** Notes its name on the way to the handler. */
const passing =
  (name: string) =>
  (journal: Journal): PreRequestHook =>
  (_context, next) => {
    journal.note(name);
    return next();
  };

/** An application with these hooks, in their order. */
const hooked = (...hooks: ((journal: Journal) => PreRequestHook)[]): Application => ({
  controllers: [Handlers],
  prepare: (nest, _server, journal) => nest.registerPreRequestHook(...hooks.map((make) => make(journal))),
});

/** What the caller sees, what is noted, and what is logged. */
const asked = (pattern: string, app: Application): See =>
  served(app, async (world) => ({
    answer: await ask(world, pattern),
    notes: world.journal.notes,
    logged: world.log.troubles,
  }));

interface Call {
  readonly pattern?: string;
  readonly hook: (journal: Journal) => PreRequestHook;
  readonly answer: Trace;
  readonly notes?: readonly unknown[];
  readonly logged?: readonly string[];
}

const answers = (says: string, { pattern = 'value', hook, answer, notes = [], logged = [] }: Call): Row =>
  equal(says, asked(pattern, hooked(hook)), { answer, notes, logged });

/** One that does this to what comes back. */
const through =
  (change: (given: Observable<unknown>, journal: Journal) => Observable<unknown>) =>
  (journal: Journal): PreRequestHook =>
  (_context, next) =>
    change(next(), journal);

const rows: readonly Row[] = [
  equal(
    'several pre-request hooks: each calls the next',
    asked('value', hooked(passing('first'), passing('second'))),
    {
      answer: completes('x'),
      notes: ['first', 'second', 'handler'],
      logged: [],
    },
  ),
  answers('a pre-request hook runs before a guard that refuses', {
    pattern: 'guarded',
    hook: passing('hook'),
    answer: FORBIDDEN,
    notes: ['hook'],
  }),
  answers('the ExecutionContext of a pre-request hook', {
    hook: (journal) => (context, next) => {
      const rpc = context.switchToRpc();
      journal.note([context.getType(), context.getClass().name, context.getHandler().name]);
      journal.note([rpc.getData(), rpc.getContext<Context>().getPattern(), context.getArgs().length]);
      return next();
    },
    answer: completes('x'),
    notes: [['rpc', 'Handlers', 'value'], ['x', 'value', 2], 'handler'],
  }),
  answers('a pre-request hook that maps the answer', {
    hook: through((given) => given.pipe(map((value) => [value]))),
    answer: completes(['x']),
    notes: ['handler'],
  }),
  answers('a pre-request hook that maps each value of a stream', {
    pattern: 'stream',
    hook: through((given) => given.pipe(map((value) => [value]))),
    answer: completes([1], [2]),
  }),
  answers('a pre-request hook with `tap` and `finalize`', {
    pattern: 'stream',
    hook: through((given, journal) =>
      given.pipe(
        tap({ complete: () => journal.note('complete') }),
        finalize(() => journal.note('finalize')),
      ),
    ),
    answer: completes(1, 2),
    notes: ['complete', 'finalize'],
  }),
  answers('a pre-request hook that waits before it calls the next', {
    hook: (journal) => (_context, next) =>
      timer(1).pipe(
        tap(() => journal.note('waited')),
        mergeMap(() => next()),
      ),
    answer: completes('x'),
    notes: ['waited', 'handler'],
  }),
  answers('a pre-request hook that answers by itself', {
    hook: () => () => of('cached'),
    answer: completes('cached'),
  }),
  answers('a pre-request hook that returns `EMPTY`', { hook: () => () => EMPTY, answer: completes() }),
  answers('a pre-request hook that throws an RpcException', {
    hook: () => () => {
      throw new RpcException('no');
    },
    answer: refused('no'),
  }),
  answers('a pre-request hook that throws any other error', {
    hook: () => () => {
      throw new Error('broken hook');
    },
    answer: INTERNAL,
    logged: ['broken hook'],
  }),
  answers('a pre-request hook whose Observable fails', {
    hook: () => () => throwError(() => new RpcException('no')),
    answer: refused('no'),
  }),
  answers('a pre-request hook that catches the error of the handler', {
    pattern: 'throws',
    hook: through((given) => given.pipe(catchError((error: Error) => of(`caught: ${error.message}`)))),
    answer: completes('caught: thrown'),
  }),
  equal(
    'a pre-request hook of an event',
    served(hooked(passing('hook')), async (world) => {
      await trace(world.client.emit('event', 'told'));
      return world.journal.whenNoted(2);
    }),
    ['hook', 'told'],
  ),
  equal(
    'a pre-request hook that throws on an event: it is logged',
    served(
      hooked(() => () => {
        throw new RpcException('no');
      }),
      async (world) => {
        await tell(world, 'event', 'told', 'stream');
        return [world.journal.notes, world.log.troubles];
      },
    ),
    [[], ['no']],
  ),
];

export const preRequestHooks: Scenario = { title: 'Pre-request hooks', rows };
