import {
  Controller,
  DefaultValuePipe,
  Injectable,
  ParseIntPipe,
  type PipeTransform,
  UsePipes,
  type ArgumentMetadata,
} from '@nestjs/common';
import { APP_PIPE } from '@nestjs/core';
import { Ctx, EventPattern, MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import { answerTo, ask, type Context, INTERNAL, refused, tell } from '../calls.js';
import { equal, type Row, type Scenario, type See } from '../row.js';
import { completes, type Trace } from '../trace.js';
import { type Application, Journal, served } from '../world.js';

const pipe = (transform: PipeTransform['transform']): PipeTransform => ({ transform });

/** Adds a letter to a text, so that the order of pipes is seen in what the handler gets. */
const adding = (letter: string): PipeTransform =>
  pipe((value: unknown) => (typeof value === 'string' ? value + letter : value));

const deciding = pipe(async (value: unknown) => {
  switch (value) {
    case 'refuse':
      throw new RpcException('not that');
    case 'throw':
      throw new Error('broken pipe');
    case 'upper':
      return Promise.resolve('UPPER');
    default:
      return value;
  }
});

const refusingInt = new ParseIntPipe({ exceptionFactory: (error) => new RpcException(`id: ${error}`) });

@Injectable()
class InjectedPipe implements PipeTransform {
  constructor(private readonly journal: Journal) {}

  transform(value: unknown, { type, data, metatype }: ArgumentMetadata): unknown {
    // A context is noted by its kind: what it is differs, and is a row of its own.
    const isContext = typeof value === 'object' && value !== null && 'getPattern' in value;
    this.journal.note({ value: isContext ? 'a context' : value, type, data, metatype: metatype?.name });
    return value;
  }
}

@Controller()
class Piped {
  constructor(private readonly journal: Journal) {}

  @UsePipes(deciding)
  @MessagePattern('decided')
  decided(@Payload() data: unknown): unknown {
    this.journal.note(data);
    return data;
  }

  @UsePipes(deciding)
  @EventPattern('event')
  event(@Payload() data: unknown): void {
    this.journal.note(data);
  }

  @UsePipes(deciding)
  @MessagePattern('behind')
  behind(): string {
    return 'behind';
  }

  @MessagePattern('parameter')
  parameter(@Payload(deciding) data: unknown): unknown {
    return data;
  }

  @MessagePattern('id')
  id(@Payload('id', ParseIntPipe) id: number): number {
    return id + 1;
  }

  @MessagePattern('refusing id')
  refusingId(@Payload('id', refusingInt) id: number): number {
    return id + 1;
  }

  @MessagePattern('page')
  page(
    @Payload('page', new DefaultValuePipe('1'), ParseIntPipe) page: number,
    @Payload('size', new DefaultValuePipe(20)) size: number,
  ): number[] {
    return [page, size];
  }
}

@UsePipes(adding('c'))
@Controller()
class Ordered {
  @UsePipes(adding('m'), adding('n'))
  @MessagePattern('ordered')
  ordered(@Payload(adding('p'), adding('q')) data: string): string {
    return data;
  }
}

class Named {
  readonly name: string = '';
}

@Controller()
class Looking {
  @MessagePattern('looked')
  looked(@Payload() data: Named, @Payload('name') name: string, @Ctx() context: Context): unknown {
    return [data.name, name, context.getPattern()];
  }
}

const app = { controllers: [Piped] };

const decided = (data: unknown): See =>
  served(app, async (world) => ({
    answer: await ask(world, 'decided', data),
    notes: world.journal.notes,
    logged: world.log.troubles,
  }));

const refuses = (says: string, data: string, answer: Trace, logged: readonly string[] = []): Row =>
  equal(says, decided(data), { answer, notes: [], logged });

/** What the handler of an event notes, and what is logged. */
const told = (says: string, data: string, notes: readonly unknown[], logged: readonly string[]): Row =>
  equal(
    says,
    served(app, async (world) => {
      await tell(world, 'event', data, 'behind');
      return { notes: world.journal.notes, logged: world.log.troubles };
    }),
    { notes, logged },
  );

/** What the caller sees of a payload; nothing is logged. */
const parsed = (says: string, pattern: string, data: unknown, answer: Trace): Row =>
  equal(
    says,
    served(app, async (world) => [await ask(world, pattern, data), world.log.troubles]),
    [answer, []],
  );

const ordered: Application = {
  controllers: [Ordered],
  prepare: (nest) => nest.useGlobalPipes(adding('g'), adding('h')),
};

const looking: Application = {
  controllers: [Looking],
  providers: [{ provide: APP_PIPE, useClass: InjectedPipe }],
};

const rows: readonly Row[] = [
  equal('an async pipe that changes the payload', decided('upper'), {
    answer: completes('UPPER'),
    notes: ['UPPER'],
    logged: [],
  }),
  refuses('a pipe that throws an RpcException', 'refuse', refused('not that')),
  refuses('a pipe that throws any other error', 'throw', INTERNAL, ['broken pipe']),
  told('a pipe that changes the payload of an event', 'upper', ['UPPER'], []),
  told('a pipe that throws on an event: it is logged', 'refuse', [], ['not that']),
  parsed('a pipe of a parameter', 'parameter', 'upper', completes('UPPER')),
  equal(
    'the order of pipes: global, controller, method, parameter',
    served(ordered, (world) => answerTo(world, 'ordered', '-')),
    '-ghcmnpq',
  ),
  equal(
    'a pipe by `APP_PIPE`: it sees each parameter, the context among them',
    served(looking, async (world) => ({
      answer: await answerTo(world, 'looked', { name: 'anna' }),
      notes: world.journal.notes,
    })),
    {
      answer: ['anna', 'anna', 'looked'],
      notes: [
        { value: 'a context', type: 'custom', data: undefined, metatype: 'Object' },
        { value: 'anna', type: 'body', data: 'name', metatype: 'String' },
        { value: { name: 'anna' }, type: 'body', data: undefined, metatype: 'Named' },
      ],
    },
  ),
  parsed("ParseIntPipe with `'41'`", 'id', { id: '41' }, completes(42)),
  parsed('ParseIntPipe with `\'x\'`: the caller sees "Internal server error"', 'id', { id: 'x' }, INTERNAL),
  parsed('ParseIntPipe with a missing key', 'id', {}, INTERNAL),
  parsed(
    "ParseIntPipe with `'x'` and an `exceptionFactory`",
    'refusing id',
    { id: 'x' },
    refused('id: Validation failed (numeric string is expected)'),
  ),
  parsed('DefaultValuePipe with a missing key', 'page', {}, completes([1, 20])),
  parsed('DefaultValuePipe with a value', 'page', { page: '3', size: 0 }, completes([3, 0])),
  parsed('DefaultValuePipe with null', 'page', { page: '3', size: null }, completes([3, 20])),
];

export const pipes: Scenario = { title: 'Pipes', rows };
