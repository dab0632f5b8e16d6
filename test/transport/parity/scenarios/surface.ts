import { Controller } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload, Transport } from '@nestjs/microservices';
import { once } from 'node:events';
import { Server as NetServer, Socket } from 'node:net';
import { firstValueFrom, type Observable } from 'rxjs';
import { UDS_TRANSPORT } from '../../../../src/index.js';
import { turns, until } from '../../../support/wait.js';
import { clientAt, freeAddress } from '../address.js';
import type { Client } from '../kit.js';
import { equal, exception, type Row, type Scenario } from '../row.js';
import { settled } from '../trace.js';
import { type Application, boot, served, type World } from '../world.js';

@Controller()
class Answers {
  @MessagePattern('ping', { version: 2 })
  ping(): string {
    return 'pong';
  }

  @MessagePattern({ cmd: 'ping', area: 'a' })
  pingByObject(): string {
    return 'pong';
  }

  @MessagePattern(7)
  pingByNumber(): string {
    return 'pong';
  }

  @EventPattern(['told', 'said'])
  told(@Payload() _data: unknown): void {}

  @EventPattern('told')
  toldToo(@Payload() _data: unknown): void {}
}

const app = { controllers: [Answers] };

/** Notes from before listen what the server tells of itself. */
const watched: Application = {
  controllers: [Answers],
  prepare: (nest, _server, journal) => {
    nest.on('listening', () => journal.note('listening'));
    nest.on('close', () => journal.note('close'));
  },
};

const withStatus: Application = {
  controllers: [Answers],
  prepare: (_nest, server, journal) => {
    server.status.subscribe((status) => journal.note(status));
  },
};

/** Collects statuses from now on. */
function statuses(source: Observable<unknown>): unknown[] {
  const seen: unknown[] = [];
  source.subscribe((status) => seen.push(status));
  return seen;
}

/** Collects events of a client from now on. */
function events(client: Client): unknown[] {
  const seen: unknown[] = [];
  for (const event of ['connect', 'end', 'close', 'error']) client.on(event, () => seen.push(event));
  return seen;
}

const whenSeen = (seen: unknown[], count: number): Promise<void> =>
  until(() => seen.length >= count, `${count} came`);

const thrownBy = (run: () => unknown): unknown => {
  try {
    return ['nothing, but gave', run()];
  } catch (error) {
    return (error as Error).message;
  }
};

const NOT_INITIALIZED = 'Not initialized. Please call the "connect" method first.';

async function seeUnwrap({ kit, server }: World): Promise<unknown> {
  const client = kit.client(server);
  const seen: unknown[] = [thrownBy(() => client.unwrap())];
  await client.connect();
  seen.push(client.unwrap() instanceof Socket);
  const closed = once(client.unwrap<Socket>(), 'close');
  client.unwrap<Socket>().destroy();
  await closed;
  seen.push(thrownBy(() => client.unwrap()));
  await client.connect();
  seen.push(client.unwrap() instanceof Socket);
  await client.close();
  return [...seen, thrownBy(() => client.unwrap())];
}

const statusRows: readonly Row[] = [
  equal(
    '`status` of a server',
    served(withStatus, async ({ app: nest, journal }) => {
      const [listens] = journal.notes;
      await nest.close();
      return [listens, await journal.whenNoted(2)];
    }),
    ['connected', ['connected', 'disconnected']],
  ),
  equal(
    '`status` replays its last value to a late subscriber',
    served(app, async ({ app: nest, server, client }) =>
      [server.status, nest.status, client.status].map((status) => [...statuses(status)]),
    ),
    [['connected'], ['connected'], ['connected']],
  ),
  equal(
    '`status` of a client that connects, closes and connects again',
    served(app, async ({ kit, server }) => {
      const client = kit.client(server);
      const seen = statuses(client.status);
      const before = [...seen];
      await client.connect();
      await firstValueFrom(client.send('ping', 1));
      await client.connect();
      await client.close();
      await whenSeen(seen, 2);
      await client.connect();
      return [before, [...seen]];
    }),
    [[], ['connected', 'disconnected', 'connected']],
  ),
  equal(
    '`status` of a client whose server closes',
    served(app, async ({ app: nest, client }) => {
      const seen = statuses(client.status);
      await nest.close();
      await whenSeen(seen, 2);
      return seen;
    }),
    ['connected', 'disconnected'],
  ),
  equal(
    '`status` of a client that reaches nobody',
    async (kit) => {
      const client = await kit.strayClient();
      const seen = statuses(client.status);
      await settled(client.connect());
      return seen;
    },
    ['disconnected'],
  ),
  equal(
    '`status` of a server whose address is taken',
    async (kit) => {
      const address = await freeAddress(kit);
      const at = { ...kit, server: address.server, client: () => clientAt(address) };
      await boot(at, app);
      const seen: unknown[] = [];
      const second: Application = {
        prepare: (_nest, server) => {
          server.status.subscribe((status) => seen.push(status));
        },
      };
      await boot(at, second).catch(() => undefined);
      return seen;
    },
    ['disconnected'],
  ),
];

export const surface: Scenario = {
  title: '`status`, `on()` and `unwrap()`',
  rows: [
    ...statusRows,
    equal(
      '`app.on(…)` before `listen()`: listening, close',
      served(watched, async ({ app: nest, journal }) => {
        await nest.close();
        return [...(await journal.whenNoted(2))];
      }),
      ['listening', 'close'],
    ),
    equal(
      "`app.on('connection')` gives the `net.Socket`, whose close is seen",
      served(app, async ({ app: nest, kit, server, journal }) => {
        nest.on('connection', (socket: Socket) => {
          journal.note(socket instanceof Socket);
          socket.on('close', () => journal.note('gone'));
        });
        const client = kit.client(server);
        await client.connect();
        await client.close();
        return await journal.whenNoted(2);
      }),
      [true, 'gone'],
    ),
    equal(
      '`client.on(…)` before `connect()`: connect, end, close',
      served(app, async ({ kit, server }) => {
        const client = kit.client(server);
        const seen = events(client);
        await client.connect();
        await client.close();
        await whenSeen(seen, 3);
        await client.connect();
        await turns();
        return seen;
      }),
      ['connect', 'end', 'close'],
    ),
    equal(
      '`client.on(…)` of a client that loses its connection and connects again',
      served(app, async ({ kit, server }) => {
        const client = kit.client(server);
        const seen = events(client);
        await client.connect();
        client.unwrap<Socket>().destroy();
        await whenSeen(seen, 2);
        await client.connect();
        return [...seen];
      }),
      ['connect', 'close', 'connect'],
    ),
    equal(
      '`client.on(…)` after `connect()`: end, close',
      served(app, async ({ app: nest, client }) => {
        const seen = events(client);
        await nest.close();
        await whenSeen(seen, 2);
        return [...seen];
      }),
      ['end', 'close'],
    ),
    equal(
      '`client.unwrap()`: the `net.Socket` while connected, an error before and after',
      served(app, seeUnwrap),
      [NOT_INITIALIZED, true, NOT_INITIALIZED, true, NOT_INITIALIZED],
    ),
    equal(
      '`server.unwrap()` and `app.unwrap()`: the `net.Server`',
      served(app, async ({ app: nest, server }) => [
        server.unwrap() instanceof NetServer,
        server.unwrap() === nest.unwrap(),
        nest.getTransportServer() === server,
      ]),
      [true, true, true],
    ),
    equal(
      '`connect()` and `close()` resolve with undefined',
      served(app, async ({ client }) => {
        const connected: unknown = await client.connect();
        const closed: unknown = await client.close();
        return [connected, closed];
      }),
      [undefined, undefined],
    ),
    equal(
      '`server.getHandlers()`',
      served(app, async ({ server }) =>
        [...server.getHandlers()].map(([pattern, { isEventHandler, extras, next }]) => [
          pattern,
          isEventHandler,
          extras,
          next !== undefined,
        ]),
      ),
      [
        ['ping', false, { version: 2 }, false],
        ['{"area":"a","cmd":"ping"}', false, {}, false],
        ['7', false, {}, false],
        ['told', true, {}, true],
        ['said', true, {}, false],
      ],
    ),
    exception(
      '`server.transportId`',
      served(app, async ({ server }) => server.transportId),
      {
        tcp: { says: 'is `Transport.TCP`', sees: Transport.TCP },
        uds: { says: 'is `UDS_TRANSPORT`', sees: UDS_TRANSPORT },
        because: 'Each transport has its own, so that handlers can be pinned to it.',
      },
    ),
  ],
};
