import { Controller } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import { Observable, of, throwError } from 'rxjs';
import { answerTo, tell } from '../calls.js';
import { equal, exception, type Row, type Scenario, type See } from '../row.js';
import { completes, fails, trace } from '../trace.js';
import { Journal, served, type World } from '../world.js';

@Controller()
class Events {
  constructor(private readonly journal: Journal) {}

  @EventPattern('one')
  one(@Payload() data: unknown): string {
    this.journal.note(data);
    return 'nobody gets this';
  }

  @EventPattern('several')
  first(@Payload() data: unknown): string {
    this.journal.note(['first', data]);
    return 'first';
  }

  @EventPattern('several')
  async second(@Payload() data: unknown): Promise<string> {
    this.journal.note(['second', data]);
    return 'second';
  }

  @EventPattern('several')
  third(@Payload() data: unknown): Observable<string> {
    this.journal.note(['third', data]);
    return of('third');
  }

  @EventPattern({ cmd: 'noted', version: 1 })
  byObject(@Payload() data: unknown): void {
    this.journal.note(data);
  }

  @EventPattern('streamed')
  streamed(@Payload() data: number): Observable<number> {
    return new Observable((subscriber) => {
      this.journal.note('subscribed to');
      subscriber.next(data);
      subscriber.complete();
      return () => this.journal.note('torn down');
    });
  }

  @EventPattern('generated')
  async *generated(@Payload() _data: unknown): AsyncGenerator<number> {
    this.journal.note('pulled');
    yield 1;
  }

  @EventPattern('slow')
  async slow(@Payload() data: unknown): Promise<void> {
    this.journal.note([data, 'begins']);
    await this.journal.whenNoted(2);
    this.journal.note([data, 'ends']);
  }

  @MessagePattern('message')
  message(@Payload() data: unknown): unknown {
    this.journal.note(data);
    return data;
  }
}

@Controller()
class Failing {
  constructor(private readonly journal: Journal) {}

  @EventPattern('throws')
  throws(@Payload() _data: unknown): void {
    throw new Error('thrown');
  }

  @EventPattern('rejects')
  async rejects(@Payload() _data: unknown): Promise<never> {
    throw new Error('rejected');
  }

  @EventPattern('errors')
  errors(@Payload() _data: unknown): Observable<never> {
    return throwError(() => new Error('of an Observable'));
  }

  @EventPattern('refuses')
  refuses(@Payload() _data: unknown): void {
    throw new RpcException('an RpcException');
  }

  @EventPattern('several')
  first(@Payload() _data: unknown): void {
    throw new Error('the first');
  }

  @EventPattern('several')
  second(@Payload() _data: unknown): void {
    this.journal.note('the second runs');
  }

  @EventPattern('several')
  async third(@Payload() _data: unknown): Promise<never> {
    throw new Error('the third');
  }

  @MessagePattern('message')
  message(): string {
    return 'ok';
  }
}

const app = { controllers: [Events] };

/** What the emitter sees of an event, and what its handlers note. */
const emitted = (event: unknown, data: unknown = 'x'): See =>
  served(app, async (world) => ({
    sender: await tell(world, event, data, 'message'),
    notes: world.journal.notes.filter((note) => note !== 'behind'),
  }));

const told = (says: string, event: unknown, notes: readonly unknown[]): Row =>
  equal(says, emitted(event), { sender: completes(undefined), notes });

/** What the emitter sees of an event whose handler fails, and what is logged. */
const failing = (says: string, event: string, logged: readonly string[]): Row =>
  equal(
    says,
    served({ controllers: [Failing] }, async (world) => ({
      sender: await tell(world, event, 'x', 'message'),
      logged: world.log.troubles,
    })),
    { sender: completes(undefined), logged },
  );

const handlers: readonly Row[] = [
  told('an event with one handler', 'one', ['x']),
  told('an event with several handlers: all run, in order', 'several', [
    ['first', 'x'],
    ['second', 'x'],
    ['third', 'x'],
  ]),
  told('an event with an object as the pattern', { version: 1, cmd: 'noted' }, ['x']),
  told('an event handler that returns an Observable: it is subscribed to', 'streamed', [
    'subscribed to',
    'torn down',
  ]),
  told('an event handler that is a generator: its body never runs', 'generated', []),
  told('an event that is sent to a message handler: the handler runs', 'message', ['x']),
  equal(
    'a message that is sent to an event handler: what it returns is the answer',
    served(app, (world) => answerTo(world, 'one')),
    'nobody gets this',
  ),
  equal(
    'a message that is sent to several event handlers: their values are chained',
    served(app, (world) => answerTo(world, 'several')),
    { current: 'first', next: { current: 'second', next: 'third' } },
  ),
  failing('an event handler that throws: it is logged, the emitter is told nothing', 'throws', ['thrown']),
  failing('an event handler that rejects', 'rejects', ['rejected']),
  failing('an event handler whose Observable fails', 'errors', ['of an Observable']),
  failing('an event handler that throws an RpcException', 'refuses', ['an RpcException']),
  equal(
    'several event handlers of which some fail: the others run',
    served({ controllers: [Failing] }, async (world) => {
      await tell(world, 'several', 'x', 'message');
      return [world.journal.notes.length, [...world.log.troubles].sort()];
    }),
    [1, ['the first', 'the third']],
  ),
  exception(
    'an event that nobody handles',
    served(app, async (world) => [await tell(world, 'no\nbody', 'x', 'message'), world.log.troubles]),
    {
      tcp: {
        says: 'is logged with the raw pattern',
        sees: [
          completes(undefined),
          ['There is no matching event handler defined in the remote service. Event pattern: no\nbody'],
        ],
      },
      uds: {
        says: 'is logged with the pattern quoted and escaped',
        sees: [
          completes(undefined),
          ['There is no matching event handler defined in the remote service. Event pattern: "no\\nbody"'],
        ],
      },
      because: 'What a peer chose must not forge lines of a log.',
    },
  ),
];

/** What is noted once all that was sent has run. */
const notes = async (world: World, count: number): Promise<unknown[]> => [
  ...(await world.journal.whenNoted(count)),
];

const emitting: readonly Row[] = [
  equal(
    '`emit` without a subscriber: the event is sent all the same',
    served(app, async (world) => {
      world.client.emit('one', 'hot');
      return notes(world, 1);
    }),
    ['hot'],
  ),
  equal(
    '`emit` subscribed to twice: the event is sent once',
    served(app, async (world) => {
      const sent = world.client.emit('one', 'once');
      const traces = await Promise.all([trace(sent), trace(sent)]);
      await answerTo(world, 'message', 'behind');
      return { traces, notes: world.journal.notes };
    }),
    { traces: [completes(undefined), completes(undefined)], notes: ['once', 'behind'] },
  ),
  equal(
    '`emit` subscribed to after the event was sent: it completes',
    served(app, async (world) => {
      const sent = world.client.emit('one', 'x');
      await notes(world, 1);
      return trace(sent);
    }),
    completes(),
  ),
  equal(
    '`emit` before there is a connection',
    served(app, async (world) => {
      const client = world.kit.client(world.server);
      return [await trace(client.emit('one', 'early')), await notes(world, 1)];
    }),
    [completes(undefined), ['early']],
  ),
  equal(
    'events and messages of a client keep their order',
    served(app, async (world) => {
      const answers: Promise<unknown>[] = [];
      for (let number = 0; number < 100; number += 1) {
        if (number % 3 === 0) answers.push(trace(world.client.send('message', number)));
        else world.client.emit('one', number);
      }
      await Promise.all(answers);
      return notes(world, 100);
    }),
    Array.from({ length: 100 }, (_, index) => index),
  ),
  equal(
    'two events with slow handlers: neither waits for the other',
    served(app, async (world) => {
      world.client.emit('slow', 1);
      world.client.emit('slow', 2);
      return notes(world, 4);
    }),
    [
      [1, 'begins'],
      [2, 'begins'],
      // The first looks again after a while.
      [2, 'ends'],
      [1, 'ends'],
    ],
  ),
  ...[null, undefined].map((payload) =>
    equal(
      `\`emit\` with the payload ${String(payload)}`,
      served(app, ({ client }) => trace(client.emit('one', payload))),
      fails('Error: The invalid data or message pattern (undefined/null)'),
    ),
  ),
  exception(
    'an event whose payload is a BigInt, emitted twice',
    served(app, async (world) => {
      world.client.emit('one', 1n);
      return [await tell(world, 'one', 1n, 'message'), world.journal.notes];
    }),
    {
      tcp: {
        says: 'fails with a TypeError',
        sees: [fails('TypeError: Do not know how to serialize a BigInt'), ['behind']],
      },
      uds: {
        says: 'fails with UNSERIALIZABLE_PAYLOAD',
        sees: [fails('UsageError UNSERIALIZABLE_PAYLOAD'), ['behind']],
      },
      because: 'Our own refusals have codes.',
    },
  ),
];

export const events: Scenario = { title: 'Events', rows: [...handlers, ...emitting] };
