import { type CallHandler, Controller, type ExecutionContext, type INestMicroservice } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { AsyncLocalStorage } from 'node:async_hooks';
import { from, mergeMap, Observable } from 'rxjs';
import { answerTo, ask, type Context } from '../calls.js';
import type { Strategy } from '../kit.js';
import { equal, type Row, type Scenario, type See } from '../row.js';
import { completes, trace } from '../trace.js';
import { Journal, served, type World } from '../world.js';

const store = new AsyncLocalStorage<string>();

const stored = (): string => store.getStore() ?? 'nothing';

@Controller()
class Stored {
  constructor(private readonly journal: Journal) {}

  @MessagePattern('stored')
  async stored(@Payload() _data: unknown): Promise<string> {
    this.journal.note(['handler', stored()]);
    await new Promise((resolve) => setImmediate(resolve));
    return stored();
  }

  @MessagePattern('streamed')
  streamed(@Payload() _data: unknown): Observable<string> {
    return from([1, 2]).pipe(mergeMap(async () => Promise.resolve(stored())));
  }

  @EventPattern('event')
  event(@Payload() _data: unknown): void {
    this.journal.note(['event', stored()]);
  }
}

/** The store that a call asks for; some ask for none. */
const storeOf = (context: Context): string | undefined => context.getMetadata()?.['store'];

function enter(context: Context): void {
  const name = storeOf(context);
  if (name !== undefined) store.enterWith(name);
}

const enterIn = (context: ExecutionContext): void => enter(context.switchToRpc().getContext<Context>());

type Prepare = (nest: INestMicroservice, server: Strategy, journal: Journal) => unknown;

const inHook: Prepare = (nest) =>
  nest.registerPreRequestHook((context, next) => {
    enterIn(context);
    return next();
  });

const inGuard: Prepare = (nest) =>
  nest.useGlobalGuards({
    canActivate(context) {
      enterIn(context);
      return true;
    },
  });

const inInterceptor: Prepare = (nest) =>
  nest.useGlobalInterceptors({
    intercept(context: ExecutionContext, next: CallHandler) {
      enterIn(context);
      return next.handle();
    },
  });

const inStartHook: Prepare = (_nest, server) =>
  server.setOnProcessingStartHook((_transport, context, done) => {
    enter(context as Context);
    void done();
  });

const aroundStart: Prepare = (_nest, server) =>
  server.setOnProcessingStartHook((_transport, context, done) => {
    void store.run(storeOf(context as Context) ?? 'none asked for', done);
  });

const aroundHook: Prepare = (nest) =>
  nest.registerPreRequestHook(
    (context, next) =>
      new Observable((subscriber) =>
        store.run(storeOf(context.switchToRpc().getContext<Context>()) ?? 'none asked for', () =>
          next().subscribe(subscriber),
        ),
      ),
  );

/** Notes the store, in an enhancer of each kind. */
const noting: Prepare = (nest, _server, journal) => {
  nest.useGlobalGuards({
    canActivate() {
      journal.note(['guard', stored()]);
      return true;
    },
  });
  nest.useGlobalPipes({
    transform(value: unknown) {
      journal.note(['pipe', stored()]);
      return value;
    },
  });
  nest.useGlobalInterceptors({
    intercept(_context: ExecutionContext, next: CallHandler) {
      journal.note(['interceptor', stored()]);
      return next.handle();
    },
  });
};

/** An application where a call whose payload is a text asks for a store of that name. */
const entered = (prepare: Prepare[], see: (world: World) => Promise<unknown>): See =>
  served(
    {
      controllers: [Stored],
      prepare: (...given) => prepare.forEach((step) => step(...given)),
    },
    (world) => {
      world.client.setOnDispatchHook((packet) => {
        if (typeof packet.data === 'string') packet.metadata = { store: packet.data };
      });
      return see(world);
    },
  );

/** The store that the handlers of calls find: of some at once, and of one behind them. */
const found = (says: string, prepare: Prepare, none = 'nothing'): Row =>
  equal(
    says,
    entered([prepare], async (world) => [
      await Promise.all([1, 'a', 2, 'b'].map((data) => answerTo(world, 'stored', data))),
      await answerTo(world, 'stored', 3),
    ]),
    [[none, 'a', none, 'b'], none],
  );

const rows: readonly Row[] = [
  found('a store that a pre-request hook enters is seen by its own call only', inHook),
  found('a store that a guard enters is seen by its own call only', inGuard),
  found('a store that an interceptor enters is seen by its own call only', inInterceptor),
  found('a store that a processing hook enters is seen by its own call only', inStartHook),
  found('a processing hook that runs its call in a store', aroundStart, 'none asked for'),
  found('a pre-request hook that runs its call in a store', aroundHook, 'none asked for'),
  equal(
    "guard, interceptor, pipe and handler run in the call's store",
    entered([inHook, noting], async (world) => {
      await ask(world, 'stored', 'a');
      return world.journal.notes;
    }),
    [
      ['guard', 'a'],
      ['interceptor', 'a'],
      ['pipe', 'a'],
      ['handler', 'a'],
    ],
  ),
  equal(
    "the values of a stream are produced in the call's store",
    entered([inHook], (world) => ask(world, 'streamed', 'a')),
    completes('a', 'a'),
  ),
  equal(
    "the handler of an event runs in the event's store",
    entered([inHook], async ({ client, journal }) => {
      for (const data of ['a', 1, 'b', 2]) client.emit('event', data);
      return journal.whenNoted(4);
    }),
    [
      ['event', 'a'],
      ['event', 'nothing'],
      ['event', 'b'],
      ['event', 'nothing'],
    ],
  ),
  equal(
    "the caller's store does not reach the handler",
    entered([], (world) => store.run('caller', () => answerTo(world, 'stored', 1))),
    'nothing',
  ),
  equal(
    'a caller still has its own store after the answer',
    entered([], (world) =>
      store.run('caller', async () => [await trace(world.client.send('stored', 1)), stored()]),
    ),
    [completes('nothing'), 'caller'],
  ),
];

export const asyncContext: Scenario = { title: 'Asynchronous context', rows };
