import { Controller, type Type } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload, Transport } from '@nestjs/microservices';
import { UDS_TRANSPORT } from '../../../../src/index.js';
import { answerTo, ask, tell } from '../calls.js';
import { handlerOf, reaches } from '../reach.js';
import { equal, exception, type Row, type Scenario, type See } from '../row.js';
import { Journal, served } from '../world.js';

@Controller()
class MessageFirst {
  constructor(private readonly journal: Journal) {}

  @MessagePattern('both')
  message(): string {
    this.journal.note('message');
    return 'message';
  }

  @EventPattern('both')
  event(@Payload() _data: unknown): void {
    this.journal.note('event');
  }

  @MessagePattern('twice')
  one(): string {
    return 'first';
  }

  @MessagePattern('twice')
  other(): string {
    return 'last';
  }
}

@Controller()
class EventFirst {
  constructor(private readonly journal: Journal) {}

  @EventPattern('both')
  event(@Payload() _data: unknown): void {
    this.journal.note('event');
  }

  @MessagePattern('both')
  message(): string {
    this.journal.note('message');
    return 'message';
  }
}

/** Who runs for a message, and for an event, of one pattern. */
const runs = (controller: Type): See =>
  served({ controllers: [controller] }, async (world) => {
    const answer = await answerTo(world, 'both');
    await tell(world, 'both', 'x', 'both');
    return { answer, notes: [...world.journal.notes] };
  });

@Controller()
class Pinned {
  @MessagePattern('both', Transport.TCP)
  overTcp(): string {
    return 'over TCP';
  }

  @MessagePattern('both', UDS_TRANSPORT)
  overUds(): string {
    return 'over UDS';
  }

  @MessagePattern('foreign', Transport.KAFKA)
  overKafka(): string {
    return 'over Kafka';
  }
}

/** The longest pattern that fits our wire, in bytes. */
const LONGEST = 'p'.repeat(65_535);

const named: readonly Row[] = [
  reaches('a string as the pattern', { handler: 'orders.create', message: 'orders.create' }),
  reaches('an empty string as the pattern', { handler: '', message: '' }),
  reaches('a pattern of other scripts, emoji and control characters', {
    handler: 'grüße/世界/🚀\n\0"\\',
    message: 'grüße/世界/🚀\n\0"\\',
  }),
  reaches('a pattern with a lone surrogate', { handler: 'a\ud800', message: 'a\ud800' }),
  reaches('patterns that differ only in a lone surrogate are two patterns', {
    handler: 'a\ud800',
    called: 'a\udc00',
    message: 'nobody',
  }),
  reaches('a number as the pattern', { handler: 5, message: '5' }),
  reaches("a handler `5`, called as `'5'`", { handler: 5, called: '5', message: '5' }),
  reaches("a handler `'1.5'`, called as `1.5`", { handler: '1.5', called: 1.5, message: '1.5' }),
  reaches("a handler `100`, called as `'1e2'`", { handler: 100, called: '1e2', message: '1e2' }),
  reaches("a handler named `'true'` is never found (Nest parses it)", { handler: 'true', message: 'nobody' }),
  reaches("a handler named `'null'` is never found (Nest parses it)", { handler: 'null', message: 'nobody' }),
  reaches("a handler named `'true'`, called as `true`, is never found", {
    handler: 'true',
    called: true,
    message: 'nobody',
  }),
  equal(
    'patterns `__proto__`, `constructor`, `toString`',
    served({ controllers: [handlerOf(['__proto__', 'constructor', 'toString'])] }, (world) =>
      Promise.all(['__proto__', 'constructor', 'toString', 'valueOf'].map((name) => answerTo(world, name))),
    ),
    ['__proto__', 'constructor', 'toString', 'nobody'],
  ),
];

const handled: readonly Row[] = [
  equal(
    'a handler with several patterns',
    served({ controllers: [handlerOf(['a', { b: 1 }, 3])] }, (world) =>
      Promise.all(['a', { b: 1 }, 3, 'b'].map((pattern) => answerTo(world, pattern))),
    ),
    ['a', '{"b":1}', '3', 'nobody'],
  ),
  equal(
    'several message handlers of one pattern: the last one answers',
    served({ controllers: [MessageFirst] }, (world) => answerTo(world, 'twice')),
    'last',
  ),
  equal('a message handler, then an event handler of the same pattern', runs(MessageFirst), {
    answer: 'message',
    notes: ['message', 'message', 'message'],
  }),
  equal('an event handler, then a message handler of the same pattern', runs(EventFirst), {
    answer: 'message',
    notes: ['message', 'message', 'message'],
  }),
  equal(
    'a handler pinned to `Transport.KAFKA` is not found',
    served({ controllers: [Pinned] }, (world) => answerTo(world, 'foreign')),
    'nobody',
  ),
  exception(
    'handlers of one pattern, pinned to `Transport.TCP` and to `UDS_TRANSPORT`',
    served({ controllers: [Pinned] }, (world) => answerTo(world, 'both')),
    {
      tcp: { says: 'calls the one of `Transport.TCP`', sees: 'over TCP' },
      uds: { says: 'calls the one of `UDS_TRANSPORT`', sees: 'over UDS' },
      because: 'An application that serves both can tell them apart.',
    },
  ),
];

const long: readonly Row[] = [
  equal(
    'a pattern of 65,535 bytes',
    served(
      { controllers: [handlerOf([LONGEST])] },
      async (world) => (await answerTo(world, LONGEST)) === LONGEST,
    ),
    true,
  ),
  exception(
    'a pattern longer than 65,535 bytes',
    served({ controllers: [handlerOf([`${LONGEST}p`])] }, async (world) => {
      const { values, end } = await ask(world, `${LONGEST}p`);
      return [values.length, end];
    }),
    {
      tcp: { says: 'is called', sees: [1, 'completes'] },
      uds: { says: 'fails with INVALID_PATTERN', sees: [0, { error: 'UsageError INVALID_PATTERN' }] },
      because: 'A pattern is a name, and everything that a peer may send has a limit.',
    },
  ),
];

export const patterns: Scenario = { title: 'Patterns', rows: [...named, ...handled, ...long] };
