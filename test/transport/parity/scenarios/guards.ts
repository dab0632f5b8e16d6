import {
  type CanActivate,
  Controller,
  type ExecutionContext,
  Injectable,
  SetMetadata,
  type Type,
  UseGuards,
} from '@nestjs/common';
import { APP_GUARD, Reflector } from '@nestjs/core';
import { EventPattern, MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import { of } from 'rxjs';
import { answerTo, ask, type Context, FORBIDDEN, INTERNAL, refused, tell } from '../calls.js';
import { equal, type Row, type Scenario, type See } from '../row.js';
import { completes, fails, type Trace } from '../trace.js';
import { type Application, Journal, served } from '../world.js';

const dataOf = (context: ExecutionContext): unknown => context.switchToRpc().getData<unknown>();
const rpcOf = (context: ExecutionContext): Context => context.switchToRpc().getContext<Context>();

/** A guard that decides by what it is called with. */
const guard = (canActivate: CanActivate['canActivate']): CanActivate => ({ canActivate });

const byPayload = guard((context) => {
  switch (dataOf(context)) {
    case 'no':
      return false;
    case 'no, later':
      return Promise.resolve(false);
    case 'no, by an Observable':
      return of(true, false);
    case 'yes, later':
      return Promise.resolve(true);
    case 'yes, by an Observable':
      return of(false, true);
    case 'refuse':
      throw new RpcException('not you');
    case 'refuse, with an object':
      throw new RpcException({ code: 403, message: 'not you' });
    case 'refuse, later':
      return Promise.reject(new RpcException('not you'));
    case 'throw':
      throw new Error('broken guard');
    default:
      return true;
  }
});

@Controller()
class Guarded {
  constructor(private readonly journal: Journal) {}

  @UseGuards(byPayload)
  @MessagePattern('guarded')
  guarded(@Payload() data: unknown): unknown {
    this.journal.note(data);
    return data;
  }

  @UseGuards(byPayload)
  @EventPattern('event')
  event(@Payload() data: unknown): void {
    this.journal.note(data);
  }

  @UseGuards(byPayload)
  @MessagePattern('behind')
  behind(): string {
    return 'behind';
  }

  @UseGuards(
    guard((context) => {
      (dataOf(context) as Record<string, unknown>)['user'] = 'anna';
      return true;
    }),
  )
  @MessagePattern('enriched')
  enriched(@Payload() data: unknown): unknown {
    return data;
  }
}

/** A guard that notes its name, and refuses where the payload is its name. */
const noting = (journal: Journal, name: string): CanActivate =>
  guard((context) => {
    journal.note(name);
    return dataOf(context) !== name;
  });

/** The same as a class, made by Nest. */
function injected(name: string): Type<CanActivate> {
  @Injectable()
  class Noting implements CanActivate {
    constructor(private readonly journal: Journal) {}

    canActivate(context: ExecutionContext): ReturnType<CanActivate['canActivate']> {
      return noting(this.journal, name).canActivate(context);
    }
  }
  return Noting;
}

@Injectable()
class RolesGuard implements CanActivate {
  constructor(private readonly reflector: Reflector) {}

  canActivate(context: ExecutionContext): boolean {
    const role = this.reflector.get<string | undefined>('role', context.getHandler());
    return role === undefined || rpcOf(context).getMetadata()?.['role'] === role;
  }
}

@UseGuards(injected('controller'))
@Controller()
class Ordered {
  constructor(private readonly journal: Journal) {}

  @UseGuards(injected('method'))
  @MessagePattern('ordered')
  ordered(): string {
    this.journal.note('handler');
    return 'passed';
  }
}

@Controller()
class Roles {
  @SetMetadata('role', 'admin')
  @MessagePattern({ cmd: 'delete', id: 1 })
  remove(): string {
    return 'deleted';
  }
}

const app = { controllers: [Guarded] };

/** What the caller sees of a guarded handler, what the handler notes, and what is logged. */
const asked = (data: unknown): See =>
  served(app, async (world) => ({
    answer: await ask(world, 'guarded', data),
    notes: world.journal.notes,
    logged: world.log.troubles,
  }));

const passes = (says: string, data: string): Row =>
  equal(says, asked(data), { answer: completes(data), notes: [data], logged: [] });

const refuses = (says: string, data: string, answer: Trace, logged: readonly string[] = []): Row =>
  equal(says, asked(data), { answer, notes: [], logged });

/** What the handler of a guarded event notes, and what is logged. */
const told = (says: string, data: string, notes: readonly unknown[], logged: readonly string[]): Row =>
  equal(
    says,
    served(app, async (world) => {
      await tell(world, 'event', data, 'behind');
      return { notes: world.journal.notes, logged: world.log.troubles };
    }),
    { notes, logged },
  );

const ordered: Application = {
  controllers: [Ordered],
  providers: [{ provide: APP_GUARD, useClass: injected('injected') }],
  prepare: (nest, _server, journal) => nest.useGlobalGuards(noting(journal, 'global')),
};

/** The guards that are asked, in their order, where the payload names the one that refuses. */
const order = (says: string, refusing: string, notes: readonly string[]): Row =>
  equal(
    says,
    served(ordered, async (world) => {
      await ask(world, 'ordered', refusing);
      return world.journal.notes;
    }),
    notes,
  );

/** What a guard sees of its call. */
const looking: Application = {
  controllers: [Roles],
  prepare: (nest, _server, journal) =>
    nest.useGlobalGuards(
      guard((context) => {
        journal.note({
          type: context.getType(),
          class: context.getClass().name,
          handler: context.getHandler().name,
          data: dataOf(context),
          pattern: rpcOf(context).getPattern(),
          metadata: rpcOf(context).getMetadata(),
          sameArgs: context.getArgs()[0] === dataOf(context) && context.getArgByIndex(1) === rpcOf(context),
          length: context.getArgs().length,
        });
        return true;
      }),
    ),
};

const rows: readonly Row[] = [
  passes('a guard that passes', 'yes'),
  passes('a guard that passes, by a promise', 'yes, later'),
  passes('a guard that passes, by the last value of an Observable', 'yes, by an Observable'),
  refuses('a guard that refuses', 'no', FORBIDDEN),
  refuses('a guard that refuses, by a promise', 'no, later', FORBIDDEN),
  refuses('a guard that refuses, by the last value of an Observable', 'no, by an Observable', FORBIDDEN),
  refuses('a guard that throws an RpcException', 'refuse', refused('not you')),
  refuses(
    'a guard that throws an RpcException with an object',
    'refuse, with an object',
    fails({ code: 403, message: 'not you' }),
  ),
  refuses('a guard that rejects', 'refuse, later', refused('not you')),
  refuses('a guard that throws any other error', 'throw', INTERNAL, ['broken guard']),
  told('a guard that passes, on an event', 'yes', ['yes'], []),
  told('a guard that refuses an event: it is logged', 'no', [], ['Forbidden resource']),
  told('a guard that throws on an event: it is logged', 'throw', [], ['broken guard']),
  order('the order of guards: global, controller, method', 'nobody', [
    'injected',
    'global',
    'controller',
    'method',
    'handler',
  ]),
  order('a guard that refuses: the guards after it are not asked', 'controller', [
    'injected',
    'global',
    'controller',
  ]),
  equal(
    'the ExecutionContext of a guard',
    served(looking, async (world) => {
      world.client.setOnDispatchHook((packet) => (packet.metadata = { role: 'user' }));
      await ask(world, { id: 1, cmd: 'delete' }, { why: 'old' });
      return world.journal.notes;
    }),
    [
      {
        type: 'rpc',
        class: 'Roles',
        handler: 'remove',
        data: { why: 'old' },
        pattern: '{"id":1,"cmd":"delete"}',
        metadata: { role: 'user' },
        sameArgs: true,
        length: 2,
      },
    ],
  ),
  equal(
    'a roles guard: handler decorator against call metadata',
    served(
      { controllers: [Roles], providers: [{ provide: APP_GUARD, useClass: RolesGuard }] },
      async (world) => {
        const pattern = { cmd: 'delete', id: 1 };
        const withoutRole = await ask(world, pattern);
        world.client.setOnDispatchHook((packet) => (packet.metadata = { role: 'admin' }));
        return [withoutRole, await ask(world, pattern)];
      },
    ),
    [FORBIDDEN, completes('deleted')],
  ),
  equal(
    'a guard that adds to the payload: the handler sees it',
    served(app, (world) => answerTo(world, 'enriched', { id: 1 })),
    { id: 1, user: 'anna' },
  ),
];

export const guards: Scenario = { title: 'Guards', rows };
