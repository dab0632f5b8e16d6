import { Controller } from '@nestjs/common';
import { Ctx, EventPattern, MessagePattern, Payload, type ReadPacket } from '@nestjs/microservices';
import { AsyncLocalStorage } from 'node:async_hooks';
import { firstValueFrom, lastValueFrom } from 'rxjs';
import { Gate } from '../../../support/wait.js';
import type { Context } from '../calls.js';
import { equal, exception, type Row, type Scenario } from '../row.js';
import { completes, fails, trace } from '../trace.js';
import { Journal, served, type World } from '../world.js';

@Controller()
class Reader {
  constructor(private readonly journal: Journal) {}

  @MessagePattern('asked')
  asked(@Payload() data: unknown, @Ctx() context: Context): unknown {
    this.journal.note(context.getMetadata());
    return data;
  }

  @MessagePattern({ cmd: 'asked' })
  askedByObject(@Payload() data: unknown): unknown {
    return data;
  }

  @EventPattern('told')
  told(@Payload() _data: unknown, @Ctx() context: unknown): void {
    this.journal.note((context as Context).getMetadata());
  }
}

const app = { controllers: [Reader] };

type Hook = (packet: ReadPacket) => void;
type Metadata = NonNullable<ReadPacket['metadata']>;

const attach =
  (metadata: unknown): Hook =>
  (packet) => {
    packet.metadata = metadata as Metadata;
  };

/** What a handler of a message reads of what a hook attached. */
const read = (says: string, metadata: unknown, arrives: unknown = metadata): Row =>
  equal(
    says,
    served(app, async ({ client, journal }) => {
      client.setOnDispatchHook(attach(metadata));
      return [await trace(client.send('asked', 1)), journal.notes];
    }),
    [completes(1), [arrives]],
  );

async function told({ client, journal }: World): Promise<unknown[]> {
  await lastValueFrom(client.emit('told', 1));
  return await journal.whenNoted(1);
}

const brokenHook: Hook = () => {
  throw new Error('broken hook');
};

const storage = new AsyncLocalStorage<string>();

export const metadata: Scenario = {
  title: 'Metadata',
  rows: [
    read('metadata that a dispatch hook attaches to a message', { trace: 'a1', tenant: 'b' }),
    read('an empty object as metadata', {}),
    read('metadata with empty keys and values, and strings of any language', {
      '': '',
      ключ: '值 🚀\n"\\\u0000',
    }),
    read(
      'metadata of 100 keys',
      Object.fromEntries(Array.from({ length: 100 }, (_, at) => [`key${at}`, `${at}`])),
    ),
    read(
      'a metadata key whose value is undefined: it is left out',
      { trace: 'a1', tenant: undefined },
      { trace: 'a1' },
    ),
    read('undefined in place of metadata', undefined),
    equal(
      'metadata that a dispatch hook attaches to an event',
      served(app, async (world) => {
        world.client.setOnDispatchHook(attach({ trace: 'a1' }));
        return await told(world);
      }),
      [{ trace: 'a1' }],
    ),
    equal(
      'a message without a dispatch hook has no metadata',
      served(app, async ({ client, journal }) => [await trace(client.send('asked', 1)), journal.notes]),
      [completes(1), [undefined]],
    ),
    equal('an event without a dispatch hook has no metadata', served(app, told), [undefined]),
    equal(
      'metadata changed right after the dispatch hook',
      served(app, async ({ client, journal }) => {
        const attached: Metadata = { trace: 'a1' };
        const hooked = new Gate();
        client.setOnDispatchHook((packet) => {
          packet.metadata = attached;
          hooked.open();
        });
        const answer = firstValueFrom(client.send<unknown>('asked', 1));
        await hooked.opened;
        attached['trace'] = 'changed';
        return [await answer, journal.notes];
      }),
      [1, [{ trace: 'a1' }]],
    ),
    equal(
      'the packets that a dispatch hook sees of messages and events',
      served(app, async ({ client }) => {
        const seen: unknown[] = [];
        client.setOnDispatchHook((packet) => seen.push({ ...packet }));
        await lastValueFrom(client.send({ cmd: 'asked' }, { id: 7 }));
        await lastValueFrom(client.emit('told', 'x'));
        await lastValueFrom(client.emit({ cmd: 'nobody', a: 1 }, [1, 2]));
        return seen;
      }),
      [
        { pattern: { cmd: 'asked' }, data: { id: 7 } },
        { pattern: 'told', data: 'x' },
        { pattern: { cmd: 'nobody', a: 1 }, data: [1, 2] },
      ],
    ),
    equal(
      'how often a dispatch hook runs: once a subscriber of a message, once an event',
      served(app, async ({ client }) => {
        let runs = 0;
        const counts: number[] = [];
        client.setOnDispatchHook(() => (runs += 1));
        const answer = client.send('asked', 1);
        counts.push(runs);
        await Promise.all([lastValueFrom(answer), lastValueFrom(answer)]);
        counts.push(runs);
        const event = client.emit('told', 1);
        await Promise.all([lastValueFrom(event), lastValueFrom(event)]);
        return [...counts, runs];
      }),
      [0, 2, 3],
    ),
    equal(
      'a dispatch hook runs in the async context of its caller',
      served(app, async ({ client, journal }) => {
        client.setOnDispatchHook((packet) => (packet.metadata = { trace: storage.getStore() ?? 'none' }));
        const call = (name: string): Promise<unknown> =>
          storage.run(name, () => firstValueFrom(client.send('asked', 1)));
        await Promise.all(['a', 'b', 'c'].map(call));
        return journal.notes;
      }),
      [{ trace: 'a' }, { trace: 'b' }, { trace: 'c' }],
    ),
    equal(
      'a dispatch hook that throws: its message fails, the next one does not',
      served(app, async ({ client }) => {
        client.setOnDispatchHook(brokenHook);
        const failed = await trace(client.send('asked', 1));
        client.setOnDispatchHook(() => undefined);
        return [failed, await trace(client.send('asked', 1))];
      }),
      [fails('Error: broken hook'), completes(1)],
    ),
    equal(
      'a dispatch hook that throws: its event fails',
      served(app, async ({ client }) => {
        client.setOnDispatchHook(brokenHook);
        return await trace(client.emit('told', 1));
      }),
      fails('Error: broken hook'),
    ),
    exception(
      'a metadata value that is not a string',
      served(app, async ({ client }) => {
        client.setOnDispatchHook(attach({ attempt: 1 }));
        const failed = [await trace(client.send('asked', 1)), await trace(client.emit('told', 1))];
        client.setOnDispatchHook(() => undefined);
        return [...failed, await trace(client.send('asked', 1))];
      }),
      {
        tcp: {
          says: 'is sent as it is, against its type',
          sees: [completes(1), completes(undefined), completes(1)],
        },
        uds: {
          says: 'fails only its own call, with INVALID_RECORD',
          sees: [fails('UsageError INVALID_RECORD'), fails('UsageError INVALID_RECORD'), completes(1)],
        },
        because: 'Nest types metadata as strings, and so does our wire: what holds anything else is refused.',
      },
    ),
  ],
};
