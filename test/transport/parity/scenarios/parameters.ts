import { Controller, createParamDecorator, type ExecutionContext, ParseIntPipe } from '@nestjs/common';
import { Ctx, EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { Socket } from 'node:net';
import { answerTo, ask, type Context, tell } from '../calls.js';
import { equal, exception, type Row, type Scenario, type See } from '../row.js';
import { completes, trace } from '../trace.js';
import { Journal, served } from '../world.js';

/** What `getSocketRef` gives depends on the transport. */
interface SocketContext extends Context {
  getSocketRef(): object;
}

/** A key of the payload, or the pattern where none is named. */
const Part = createParamDecorator((key: string | undefined, context: ExecutionContext): unknown => {
  const rpc = context.switchToRpc();
  if (key === undefined) return rpc.getContext<Context>().getPattern();
  return rpc.getData<Record<string, unknown>>()[key];
});

const Later = createParamDecorator(async (_key: unknown, context: ExecutionContext): Promise<unknown> =>
  context.switchToRpc().getData<unknown>(),
);

/** Nest types it as `any`. */
const argOf = (context: Context, index: number): unknown => context.getArgByIndex(index);
const patternOf = (context: unknown): string => (context as Context).getPattern();

@Controller()
class Parameters {
  constructor(private readonly journal: Journal) {}

  @MessagePattern('payload')
  payload(@Payload() data: unknown): unknown {
    return data;
  }

  @MessagePattern('key')
  key(@Payload('id') id: unknown): unknown {
    return [typeof id, id];
  }

  @MessagePattern('keys')
  keys(@Payload('b') b: unknown, @Payload() all: unknown, @Payload('a') a: unknown): unknown {
    return [b, all, a];
  }

  @MessagePattern('pipe')
  pipe(@Payload(ParseIntPipe) number: number): unknown {
    return [typeof number, number];
  }

  @MessagePattern('context')
  context(@Ctx() context: Context): unknown {
    return patternOf(context);
  }

  @MessagePattern('payload, context')
  payloadFirst(@Payload() data: unknown, @Ctx() context: Context): unknown {
    return [data, patternOf(context)];
  }

  @MessagePattern('context, payload')
  contextFirst(@Ctx() context: Context, @Payload() data: unknown): unknown {
    return [patternOf(context), data];
  }

  @MessagePattern('undecorated')
  undecorated(...rest: unknown[]): unknown {
    return rest;
  }

  @MessagePattern('second')
  second(data: unknown, @Ctx() context: Context): unknown {
    return [data ?? 'nothing', patternOf(context)];
  }

  @MessagePattern('custom')
  custom(
    @Part('id') id: unknown,
    @Part() pattern: unknown,
    @Part('id', ParseIntPipe) number: number,
  ): unknown {
    return [id, pattern, number];
  }

  @MessagePattern('custom, later')
  customLater(@Later() data: unknown): unknown {
    return data;
  }

  @EventPattern('event')
  event(@Payload('id') id: unknown, @Ctx() context: unknown): void {
    this.journal.note([id, patternOf(context)]);
  }
}

@Controller()
class Contexts {
  constructor(private readonly journal: Journal) {}

  @MessagePattern({ cmd: 'look', version: 1 })
  look(@Ctx() context: Context): unknown {
    const args = context.getArgs();
    return {
      pattern: context.getPattern(),
      metadata: context.getMetadata() ?? 'none',
      length: args.length,
      behindTheSocket: [1, 2].map((index) => argOf(context, index) ?? 'none'),
      sameByIndex: [0, 1, 2].every((index) => args[index] === argOf(context, index)),
      beyond: argOf(context, 3) ?? 'none',
    };
  }

  @MessagePattern('socket')
  socket(@Ctx() context: SocketContext): unknown {
    const socket = context.getSocketRef();
    return [socket instanceof Socket, socket === argOf(context, 0)];
  }

  @MessagePattern('kind')
  kind(@Ctx() context: Context): string {
    return context.constructor.name;
  }

  @MessagePattern('same')
  same(@Ctx() context: SocketContext): unknown {
    this.journal.note(context.getSocketRef());
    return 'ok';
  }
}

const app = { controllers: [Parameters] };

const gets = (says: string, pattern: string, data: unknown, sees: unknown): Row =>
  equal(
    says,
    served(app, (world) => ask(world, pattern, data)),
    completes(sees),
  );

const given: readonly Row[] = [
  gets('`@Payload()`', 'payload', { id: 1 }, { id: 1 }),
  gets('`@Payload(key)`', 'key', { id: 1 }, ['number', 1]),
  gets('`@Payload(key)` of a key that is missing', 'key', {}, ['undefined', null]),
  gets('`@Payload(key)` of a string', 'key', 'text', ['undefined', null]),
  gets('`@Payload(key)` of an array', 'key', [1], ['undefined', null]),
  gets('several `@Payload()`, with and without a key', 'keys', { a: 1, b: 2 }, [2, { a: 1, b: 2 }, 1]),
  gets('`@Payload(pipe)`', 'pipe', '41', ['number', 41]),
  gets('`@Ctx()`', 'context', 'x', 'context'),
  gets('`@Payload()` before `@Ctx()`', 'payload, context', 'x', ['x', 'payload, context']),
  gets('`@Ctx()` before `@Payload()`', 'context, payload', 'x', ['context, payload', 'x']),
  gets('a handler without parameter decorators gets the payload', 'undecorated', 'x', ['x']),
  gets('a parameter without a decorator before `@Ctx()` is undefined', 'second', 'x', ['nothing', 'second']),
  gets('custom parameter decorators', 'custom', { id: '41' }, ['41', 'custom', 41]),
  gets('an async custom parameter decorator', 'custom, later', { id: 1 }, { id: 1 }),
  equal(
    '`@Payload(key)` and `@Ctx()` of an event',
    served(app, async (world) => {
      await tell(world, 'event', { id: 1 }, 'payload');
      return world.journal.notes;
    }),
    [[1, 'event']],
  ),
];

const contexts = { controllers: [Contexts] };
const LOOK = { version: 1, cmd: 'look' };
const LOOK_TEXT = '{"version":1,"cmd":"look"}';

/** What a handler sees of its context. */
const looked = (metadata?: Record<string, string>): See =>
  served(contexts, async (world) => {
    if (metadata !== undefined) world.client.setOnDispatchHook((packet) => (packet.metadata = metadata));
    return answerTo(world, LOOK);
  });

const context: readonly Row[] = [
  equal('the context: pattern, metadata, arguments', looked({ trace: '1' }), {
    pattern: LOOK_TEXT,
    metadata: { trace: '1' },
    length: 3,
    behindTheSocket: [LOOK_TEXT, { trace: '1' }],
    sameByIndex: true,
    beyond: 'none',
  }),
  equal('the context of a call without metadata', looked(), {
    pattern: LOOK_TEXT,
    metadata: 'none',
    length: 3,
    behindTheSocket: [LOOK_TEXT, 'none'],
    sameByIndex: true,
    beyond: 'none',
  }),
  equal(
    "the context's socket is the same for all calls of a connection",
    served(contexts, async (world) => {
      const other = world.kit.client(world.server);
      for (const client of [world.client, world.client, other]) await trace(client.send('same', 'x'));
      const [first, second, third] = world.journal.notes;
      return [second === first, third === first];
    }),
    [true, false],
  ),
  exception(
    '`getSocketRef()` of the context',
    served(contexts, (world) => answerTo(world, 'socket')),
    {
      tcp: { says: "is Nest's JsonSocket, around a `net.Socket`", sees: [false, true] },
      uds: { says: 'is the `net.Socket` itself', sees: [true, true] },
      because: 'There is no wrapper that writes another format than our frames.',
    },
  ),
  exception(
    'the class of the context',
    served(contexts, (world) => answerTo(world, 'kind')),
    {
      tcp: { says: 'TcpContext', sees: 'TcpContext' },
      uds: { says: 'UdsContext', sees: 'UdsContext' },
      because: 'It offers more: `signal`, `deadline`, `peer` and `stats()`.',
    },
  ),
];

export const parameters: Scenario = { title: 'Parameters', rows: [...given, ...context] };
