import { Controller, type ExecutionContext, Inject, Injectable, Scope } from '@nestjs/common';
import { APP_GUARD, ContextIdFactory, ModuleRef, REQUEST } from '@nestjs/core';
import { CONTEXT, EventPattern, MessagePattern, Payload, type RequestContext } from '@nestjs/microservices';
import { from, type Observable } from 'rxjs';
import { answerTo, ask, type Context, INTERNAL } from '../calls.js';
import { equal, type Row, type Scenario } from '../row.js';
import { completes, trace } from '../trace.js';
import { Journal, served } from '../world.js';

type Request = RequestContext<unknown, Context>;

/** Made for each message; notes that it is made. */
@Injectable({ scope: Scope.REQUEST })
class PerMessage {
  #count = 0;

  constructor(
    private readonly journal: Journal,
    @Inject(REQUEST) readonly request: Request,
  ) {
    this.journal.note('made');
  }

  next(): number {
    this.#count += 1;
    return this.#count;
  }
}

@Injectable()
class Service {
  constructor(readonly perMessage: PerMessage) {}
}

/** It is made for each message too, since what it needs is. */
@Controller()
class Scoped {
  #calls = 0;

  constructor(
    private readonly journal: Journal,
    private readonly perMessage: PerMessage,
    private readonly service: Service,
    @Inject(CONTEXT) private readonly context: Request,
  ) {}

  @MessagePattern('count')
  count(): number[] {
    this.#calls += 1;
    return [this.#calls, this.perMessage.next(), this.service.perMessage.next()];
  }

  @MessagePattern({ cmd: 'request', version: 1 })
  request(): unknown {
    const { context } = this;
    return {
      data: context.getData(),
      pattern: context.getPattern(),
      contextPattern: context.getContext().getPattern(),
      isTheSame: context === this.perMessage.request,
    };
  }

  @MessagePattern('stream')
  stream(): Observable<number> {
    return from([this.perMessage.next(), this.perMessage.next()]);
  }

  @MessagePattern('together')
  async together(@Payload() data: unknown): Promise<unknown> {
    this.journal.note('called');
    // Two are made, and two are called.
    await this.journal.whenNoted(4);
    return [data, this.context.getData(), this.perMessage.next()];
  }

  @EventPattern('event')
  first(@Payload() _data: unknown): void {
    this.journal.note(['first', this.perMessage.next(), this.context.getData()]);
  }

  @EventPattern('event')
  second(@Payload() _data: unknown): void {
    this.journal.note(['second', this.perMessage.next(), this.context.getPattern()]);
  }
}

@Injectable({ scope: Scope.TRANSIENT })
class Transient {
  readonly #number: number;

  constructor(journal: Journal) {
    journal.note('made');
    this.#number = journal.notes.length;
  }

  get number(): number {
    return this.#number;
  }
}

@Injectable()
class TransientUser {
  constructor(readonly transient: Transient) {}
}

@Controller()
class Static {
  #calls = 0;

  constructor(
    private readonly transient: Transient,
    private readonly user: TransientUser,
  ) {}

  @MessagePattern('count')
  count(): number {
    this.#calls += 1;
    return this.#calls;
  }

  @MessagePattern('transient')
  numbers(): number[] {
    return [this.transient.number, this.user.transient.number].sort();
  }
}

@Controller({ scope: Scope.REQUEST })
class Broken {
  constructor() {
    throw new Error('broken controller');
  }

  @MessagePattern('broken')
  broken(): string {
    return 'never';
  }
}

/** Looks its service up for the message it serves. */
@Controller({ scope: Scope.REQUEST })
class Resolving {
  constructor(
    private readonly modules: ModuleRef,
    @Inject(REQUEST) private readonly request: Request & Record<string, unknown>,
  ) {}

  @MessagePattern('resolve')
  async resolve(): Promise<unknown> {
    const id = ContextIdFactory.getByRequest(this.request);
    const [one, other] = await Promise.all([
      this.modules.resolve(PerMessage, id),
      this.modules.resolve(PerMessage, id),
    ]);
    return [one === other, one.request.getData()];
  }
}

/** A global guard that is made for each message. */
@Injectable({ scope: Scope.REQUEST })
class RequestGuard {
  constructor(
    private readonly journal: Journal,
    @Inject(REQUEST) private readonly request: Request,
  ) {}

  canActivate(context: ExecutionContext): boolean {
    this.journal.note([this.request.getData(), context.switchToRpc().getData<unknown>()]);
    return true;
  }
}

const scoped = { controllers: [Scoped], providers: [PerMessage, Service] };
const fixed = { controllers: [Static], providers: [Transient, TransientUser] };

const rows: readonly Row[] = [
  equal(
    'a controller without a scope: one instance for all messages',
    served(fixed, async (world) => [await answerTo(world, 'count'), await answerTo(world, 'count')]),
    [1, 2],
  ),
  equal(
    'a request-scoped provider: one instance a message, shared within it',
    served(scoped, async (world) => ({
      answers: [await answerTo(world, 'count'), await answerTo(world, 'count')],
      notes: world.journal.notes,
    })),
    {
      answers: [
        [1, 1, 2],
        [1, 1, 2],
      ],
      notes: ['made', 'made'],
    },
  ),
  equal(
    'a request-scoped provider: concurrent messages have one each',
    served(scoped, (world) => Promise.all([ask(world, 'together', 'one'), ask(world, 'together', 'other')])),
    [completes(['one', 'one', 1]), completes(['other', 'other', 1])],
  ),
  equal(
    'the injected `REQUEST`: data, pattern of the handler, context; `CONTEXT` is the same',
    served(scoped, (world) => answerTo(world, { version: 1, cmd: 'request' }, { id: 1 })),
    {
      data: { id: 1 },
      pattern: { cmd: 'request', version: 1 },
      contextPattern: '{"version":1,"cmd":"request"}',
      isTheSame: true,
    },
  ),
  equal(
    'a request-scoped controller whose handler streams',
    served(scoped, (world) => ask(world, 'stream')),
    completes(1, 2),
  ),
  equal(
    'a request-scoped provider is shared by two handlers of one event',
    served(scoped, async (world) => {
      await trace(world.client.emit('event', 'x'));
      return world.journal.whenNoted(3);
    }),
    ['made', ['first', 1, 'x'], ['second', 2, 'event']],
  ),
  equal(
    '`ModuleRef.resolve()` gives the provider of the message',
    served({ controllers: [Resolving], providers: [PerMessage] }, (world) =>
      answerTo(world, 'resolve', { id: 1 }),
    ),
    [true, { id: 1 }],
  ),
  equal(
    'a request-scoped global guard: every controller becomes request-scoped',
    served(
      { ...fixed, providers: [...fixed.providers, { provide: APP_GUARD, useClass: RequestGuard }] },
      async (world) => ({
        counts: [await answerTo(world, 'count', 1), await answerTo(world, 'count', 2)],
        notes: world.journal.notes.filter((note) => note !== 'made'),
      }),
    ),
    {
      counts: [1, 1],
      notes: [
        [1, 1],
        [2, 2],
      ],
    },
  ),
  equal(
    'a request-scoped controller whose constructor throws',
    served({ controllers: [Broken] }, async (world) => [await ask(world, 'broken'), world.log.troubles]),
    [INTERNAL, ['broken controller']],
  ),
  equal(
    'a transient provider: one an injection, not one a message',
    served(fixed, async (world) => [
      await answerTo(world, 'transient'),
      await answerTo(world, 'transient'),
      world.journal.notes.length,
    ]),
    [[1, 2], [1, 2], 2],
  ),
];

export const scopes: Scenario = { title: 'Scopes', rows };
