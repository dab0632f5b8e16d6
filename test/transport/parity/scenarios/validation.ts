import { Controller, type INestMicroservice, StandardSchemaValidationPipe, UsePipes } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import { z } from 'zod';
import { ask, INTERNAL, tell } from '../calls.js';
import { equal, type Row, type Scenario, type See } from '../row.js';
import { completes, fails, type Trace } from '../trace.js';
import { type Application, Journal, served } from '../world.js';

const order = z.object({
  id: z.coerce.number().int(),
  name: z.string().min(1).trim(),
  tags: z.array(z.string()).default([]),
});
type Order = z.infer<typeof order>;

const taken = z.string().refine(async (name) => Promise.resolve(name !== 'taken'), 'is taken');

@Controller()
class Orders {
  constructor(private readonly journal: Journal) {}

  @MessagePattern('create')
  create(@Payload({ schema: order }) data: Order): Order {
    return data;
  }

  @MessagePattern('name')
  name(@Payload('name', { schema: taken }) name: string): string {
    return name;
  }

  @MessagePattern('unchecked')
  unchecked(@Payload() data: unknown): unknown {
    return data;
  }

  @UsePipes(new StandardSchemaValidationPipe({ transform: false }))
  @EventPattern('created')
  created(@Payload({ schema: order }) data: Order): void {
    this.journal.note(data);
  }
}

type Options = ConstructorParameters<typeof StandardSchemaValidationPipe>[0];

/** The application, with Nest's own validation for all of it. */
const validated = (options?: Options): Application => ({
  controllers: [Orders],
  prepare: (nest: INestMicroservice) => nest.useGlobalPipes(new StandardSchemaValidationPipe(options)),
});

/** What the caller sees of a payload, and what is logged: nothing. */
const asked = (pattern: string, data: unknown, options?: Options): See =>
  served(validated(options), async (world) => [await ask(world, pattern, data), world.log.troubles]);

interface Check {
  readonly pattern?: string;
  readonly data: unknown;
  readonly options?: Options;
  readonly answer: Trace;
}

const checks = (says: string, { pattern = 'create', data, options, answer }: Check): Row =>
  equal(says, asked(pattern, data, options), [answer, []]);

const telling: Options = {
  exceptionFactory: (issues) =>
    new RpcException({
      code: 'INVALID',
      issues: issues.map(({ path = [], message }) => [path, message]),
    }),
};

/** As a peer may send it: an object literal would set the prototype in place of a key. */
const polluting: unknown = JSON.parse('{"__proto__":{"admin":true},"id":1,"list":[{"__proto__":1}]}');

const rows: readonly Row[] = [
  checks('a payload that fits its schema', {
    data: { id: 1, name: 'anna', tags: ['a'] },
    answer: completes({ id: 1, name: 'anna', tags: ['a'] }),
  }),
  checks('a payload that the schema changes: coerced types, defaults, unknown keys left out', {
    data: { id: '7', name: ' anna ', more: true },
    answer: completes({ id: 7, name: 'anna', tags: [] }),
  }),
  checks('a payload that does not fit: the caller sees "Internal server error"', {
    data: { id: 'x', name: '' },
    answer: INTERNAL,
  }),
  checks('a payload that does not fit, with an `exceptionFactory`', {
    data: { id: 'x', name: '' },
    options: telling,
    answer: fails({
      code: 'INVALID',
      issues: [
        [['id'], 'Invalid input: expected number, received NaN'],
        [['name'], 'Too small: expected string to have >=1 characters'],
      ],
    }),
  }),
  checks('a string where the schema wants an object', {
    data: 'text',
    options: telling,
    answer: fails({ code: 'INVALID', issues: [[[], 'Invalid input: expected object, received string']] }),
  }),
  checks('an async schema of `@Payload(key)`: the value fits', {
    pattern: 'name',
    data: { name: 'free' },
    answer: completes('free'),
  }),
  checks('an async schema of `@Payload(key)`: the value does not fit', {
    pattern: 'name',
    data: { name: 'taken' },
    options: telling,
    answer: fails({ code: 'INVALID', issues: [[[], 'is taken']] }),
  }),
  checks('an async schema of `@Payload(key)`: the key is missing', {
    pattern: 'name',
    data: {},
    options: telling,
    answer: fails({ code: 'INVALID', issues: [[[], 'Invalid input: expected string, received undefined']] }),
  }),
  checks('a parameter without a schema is not checked', {
    pattern: 'unchecked',
    data: { anything: [1] },
    answer: completes({ anything: [1] }),
  }),
  equal(
    'a payload with a key `__proto__` pollutes no prototype',
    served({ controllers: [Orders] }, async (world) => {
      const { values } = await ask(world, 'unchecked', polluting);
      return [JSON.stringify(values[0]), Object.getPrototypeOf(values[0]) === Object.prototype];
    }),
    [JSON.stringify(polluting), true],
  ),
  equal(
    'an event whose payload fits, with `transform: false`',
    served({ controllers: [Orders] }, async (world) => {
      await tell(world, 'created', { id: '7', name: 'anna' }, 'unchecked');
      return world.journal.notes;
    }),
    [{ id: '7', name: 'anna' }],
  ),
  equal(
    'an event whose payload does not fit: nothing runs, nothing is logged',
    served({ controllers: [Orders] }, async (world) => {
      await tell(world, 'created', { id: 'x' }, 'unchecked');
      return [world.journal.notes, world.log.troubles];
    }),
    [[], []],
  ),
];

export const validation: Scenario = { title: 'Validation', rows };
