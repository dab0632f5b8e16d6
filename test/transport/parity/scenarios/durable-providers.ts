import { Controller, Inject, Injectable, Scope } from '@nestjs/common';
import { type ContextId, ContextIdFactory, REQUEST } from '@nestjs/core';
import { EventPattern, MessagePattern, Payload, type RequestContext } from '@nestjs/microservices';
import { afterThisTest } from '../../../support/cleanup.js';
import { answerTo, type Context } from '../calls.js';
import { equal, type Row, type Scenario, type See } from '../row.js';
import { trace } from '../trace.js';
import { type Application, Journal, served } from '../world.js';

interface Tenant {
  readonly tenant: string;
}

/** Made once for each tenant, so that it counts what it is asked. */
@Injectable({ scope: Scope.REQUEST, durable: true })
class PerTenant {
  #count = 0;

  constructor(@Inject(REQUEST) readonly payload: Tenant) {}

  next(): [string, number] {
    this.#count += 1;
    return [this.payload.tenant, this.#count];
  }
}

@Controller({ scope: Scope.REQUEST, durable: true })
class Durable {
  #calls = 0;

  constructor(
    private readonly journal: Journal,
    private readonly perTenant: PerTenant,
  ) {}

  @MessagePattern('durable')
  next(): unknown {
    this.#calls += 1;
    return [...this.perTenant.next(), this.#calls];
  }

  @EventPattern('event')
  event(@Payload() _data: unknown): void {
    this.journal.note(this.perTenant.next());
  }
}

/** Made for each message, though what it needs is durable. */
@Controller({ scope: Scope.REQUEST })
class PerMessage {
  #calls = 0;

  constructor(
    private readonly perTenant: PerTenant,
    @Inject(REQUEST) private readonly request: RequestContext<Tenant, Context>,
  ) {}

  @MessagePattern('per message')
  next(): unknown {
    this.#calls += 1;
    return [...this.perTenant.next(), this.#calls, this.request.getContext().getPattern()];
  }
}

/** Nest has one strategy for the whole process. */
function shareByTenant(): void {
  const tenants = new Map<string, ContextId>();
  ContextIdFactory.apply({
    attach(contextId: ContextId, request: RequestContext<Tenant>) {
      const { tenant } = request.getData();
      const shared = tenants.get(tenant) ?? ContextIdFactory.create();
      tenants.set(tenant, shared);
      return { resolve: ({ isTreeDurable }) => (isTreeDurable ? shared : contextId), payload: { tenant } };
    },
  });
  // As without a strategy: there is no way to take one away.
  afterThisTest(() => ContextIdFactory.apply({ attach: (contextId: ContextId) => () => contextId }));
}

const app: Application = {
  controllers: [Durable, PerMessage],
  providers: [PerTenant],
  prepare: shareByTenant,
};

const TENANTS = ['a', 'b', 'a'];

/** What the messages of some tenants are answered, one after the other. */
const asked = (pattern: string): See =>
  served(app, async (world) => {
    const answers: unknown[] = [];
    for (const tenant of TENANTS) answers.push(await answerTo(world, pattern, { tenant }));
    return answers;
  });

const rows: readonly Row[] = [
  equal('a durable controller: one a tenant, and `REQUEST` is what the strategy gives', asked('durable'), [
    ['a', 1, 1],
    ['b', 1, 1],
    ['a', 2, 2],
  ]),
  equal(
    'a durable controller and concurrent messages: still one a tenant',
    served(app, async (world) => {
      const calls = ['b', ...TENANTS].map((tenant) => answerTo(world, 'durable', { tenant }));
      // In which order Nest finds the controllers is its own affair.
      return (await Promise.all(calls)).sort();
    }),
    [
      ['a', 1, 1],
      ['a', 2, 2],
      ['b', 1, 1],
      ['b', 2, 2],
    ],
  ),
  equal('a request-scoped controller that needs a durable service', asked('per message'), [
    ['a', 1, 1, 'per message'],
    ['b', 1, 1, 'per message'],
    ['a', 2, 1, 'per message'],
  ]),
  equal(
    'a durable service is shared by a durable and a request-scoped controller',
    served(app, async (world) => [
      await answerTo(world, 'durable', { tenant: 'a' }),
      await answerTo(world, 'per message', { tenant: 'a' }),
    ]),
    [
      ['a', 1, 1],
      ['a', 2, 1, 'per message'],
    ],
  ),
  equal(
    'events to a durable controller',
    served(app, async ({ client, journal }) => {
      for (const [index, tenant] of TENANTS.entries()) {
        await trace(client.emit('event', { tenant }));
        await journal.whenNoted(index + 1);
      }
      return journal.notes;
    }),
    [
      ['a', 1],
      ['b', 1],
      ['a', 2],
    ],
  ),
];

export const durableProviders: Scenario = { title: 'Durable providers', rows };
