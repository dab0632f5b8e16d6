import { Controller, Injectable, Module, type OnModuleDestroy } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { firstValueFrom, lastValueFrom, type Observable } from 'rxjs';
import { Gate, turns, until } from '../../../support/wait.js';
import { clientAt, freeAddress } from '../address.js';
import type { Client } from '../kit.js';
import { equal, exception, type Row, type Scenario, type See } from '../row.js';
import { completes, fails, settled, trace } from '../trace.js';
import { boot, Journal, served } from '../world.js';

/** What a handler at work waits for; each run has its own. */
@Injectable()
class Work implements OnModuleDestroy {
  readonly done = new Gate();

  constructor(private readonly journal: Journal) {}

  async run(): Promise<void> {
    this.journal.note('begins');
    await this.done.opened;
    this.journal.note('ends');
  }

  onModuleDestroy(): void {
    this.journal.note('module destroyed');
  }
}

@Controller()
class Works {
  constructor(
    private readonly work: Work,
    private readonly journal: Journal,
  ) {}

  @MessagePattern('ping')
  ping(): string {
    return 'pong';
  }

  @MessagePattern('work')
  async ask(): Promise<string> {
    await this.work.run();
    return 'done';
  }

  @EventPattern('work')
  async tell(@Payload() _data: unknown): Promise<void> {
    await this.work.run();
  }

  @EventPattern('told')
  told(@Payload() data: unknown): void {
    this.journal.note(data);
  }
}

@Module({})
class Idle {}

const app = { controllers: [Works], providers: [Work] };

type Call = (client: Client) => Observable<unknown>;

const ask: Call = (client) => client.send('work', 1);
const tell: Call = (client) => client.emit('work', 1);
const ping = (client: Client): Promise<unknown> => firstValueFrom(client.send('ping', 1));

/**
 * Closes one end while a handler is at work, and lets the handler come to its end after that. Gives how the call ended,
 * and the order in which all that happened.
 */
const closedDuring = (call: Call, end: 'client' | 'app'): See =>
  served(app, async (world) => {
    const { journal, client } = world;
    const ended = trace(call(client));
    await journal.whenNoted(1);
    const close = async (): Promise<void> => {
      await world[end].close();
      journal.note('closed');
    };
    const closed = close();
    // Beyond the while in which a closing server still accepts.
    await turns(100);
    world.app.get(Work).done.open();
    await Promise.all([ended, closed]);
    await until(() => journal.notes.includes('ends'), 'the handler came to its end');
    return [await ended, [...journal.notes]];
  });

const CUT = fails('Error: Connection closed');
const SENT = completes(undefined);

const exceptions: readonly Row[] = [
  exception('a client that closes with a message in flight', closedDuring(ask, 'client'), {
    tcp: {
      says: 'fails it at once; its handler works on for nobody',
      sees: [CUT, ['begins', 'closed', 'ends']],
    },
    uds: { says: 'waits for its answer', sees: [completes('done'), ['begins', 'ends', 'closed']] },
    because: 'Closing loses no answer that comes in time.',
  }),
  exception(
    'a client that closes with a message in flight that is never answered',
    served(app, async ({ client, journal }) => {
      const answer = trace(ask(client));
      await journal.whenNoted(1);
      await client.close();
      return await answer;
    }),
    {
      tcp: { says: 'fails it at once', sees: CUT },
      uds: {
        says: 'fails it with CLIENT_CLOSED after `closeTimeoutMs`',
        sees: fails('UsageError CLIENT_CLOSED'),
      },
      because: 'Closing waits, but not for ever.',
    },
  ),
  exception('an application that closes with a message in flight', closedDuring(ask, 'app'), {
    tcp: {
      says: 'cuts it, and destroys its modules under a handler at work',
      sees: [CUT, ['begins', 'module destroyed', 'closed', 'ends']],
    },
    uds: {
      says: 'answers it before it destroys its modules',
      sees: [completes('done'), ['begins', 'ends', 'module destroyed', 'closed']],
    },
    because: 'A server that is replaced fails no call.',
  }),
  exception('an application that closes with the handler of an event at work', closedDuring(tell, 'app'), {
    tcp: {
      says: 'destroys its modules under it',
      sees: [SENT, ['begins', 'module destroyed', 'closed', 'ends']],
    },
    uds: {
      says: 'waits for it',
      sees: [SENT, ['begins', 'ends', 'module destroyed', 'closed']],
    },
    because: 'Nobody sends an event again whose handler was cut off.',
  }),
  exception(
    'an event, and `close()` right behind it',
    served(app, async ({ client, journal }) => {
      const sent = trace(client.emit('told', 1));
      await client.close();
      await turns();
      await ping(client);
      return [(await sent).values, [...journal.notes]];
    }),
    {
      tcp: { says: 'loses the event', sees: [[], []] },
      uds: { says: 'delivers the event', sees: [[undefined], [1]] },
      because: '`close()` waits for what was sent before it.',
    },
  ),
  exception(
    'a message while its server is replaced',
    async (kit) => {
      const address = await freeAddress(kit, 10_000);
      const client = clientAt(address);
      const answer = trace(client.send('ping', 1));
      await turns(20);
      await boot({ ...kit, server: address.server, client: () => clientAt(address) }, app);
      const { values, end } = await answer;
      return [values, typeof end === 'object' ? 'fails' : end];
    },
    {
      tcp: { says: 'fails at once', sees: [[], 'fails'] },
      uds: { says: 'waits for the new one, up to `connectTimeoutMs`', sees: [['pong'], 'completes'] },
      because: 'A server that is replaced fails no call.',
    },
  ),
];

export const closing: Scenario = {
  title: 'Closing',
  rows: [
    equal('a client that closes while its event is handled: it does not wait', closedDuring(tell, 'client'), [
      SENT,
      ['begins', 'closed', 'ends'],
    ]),
    equal(
      'events that were sent, and `close()` after them',
      served(app, async ({ client, journal }) => {
        for (const data of [1, 2, 3]) await lastValueFrom(client.emit('told', data));
        await client.close();
        return [...(await journal.whenNoted(3))];
      }),
      [1, 2, 3],
    ),
    equal(
      'a server that is restarted: its client connects again by itself',
      async (kit) => {
        const address = await freeAddress(kit);
        const client = clientAt(address);
        const at = { ...kit, server: address.server, client: () => client };
        const statuses: unknown[] = [];
        client.status.subscribe((status) => statuses.push(status));
        const first = await boot(at, app);
        const before = await ping(client);
        await first.app.close();
        await until(() => statuses.length === 2, 'the client lost its connection');
        await boot({ ...at, client: () => clientAt(address) }, app);
        return [before, await ping(client), [...statuses]];
      },
      ['pong', 'pong', ['connected', 'disconnected', 'connected']],
    ),
    equal(
      'an application that is closed twice: modules are destroyed once',
      served(app, async ({ app: nest, journal }) => [
        await settled(nest.close()),
        await settled(nest.close()),
        [...journal.notes],
      ]),
      [{ resolves: undefined }, { resolves: undefined }, ['module destroyed']],
    ),
    equal(
      'an application that is closed before it listens',
      async (kit) => {
        const nest = await NestFactory.createMicroservice(Idle, { strategy: kit.server(), logger: false });
        return await settled(nest.close());
      },
      { resolves: undefined },
    ),
    ...exceptions,
  ],
};
