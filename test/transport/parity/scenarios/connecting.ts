import { Controller } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { firstValueFrom, lastValueFrom, type Observable } from 'rxjs';
import { turns } from '../../../support/wait.js';
import { clientAt, freeAddress } from '../address.js';
import type { Client } from '../kit.js';
import { equal, exception, type Row, type Scenario } from '../row.js';
import { settled, trace } from '../trace.js';
import { type Application, boot, Journal, served } from '../world.js';

@Controller()
class Answers {
  constructor(private readonly journal: Journal) {}

  @MessagePattern('ping')
  ping(@Payload() data: unknown): string {
    this.journal.note(data);
    return 'pong';
  }

  @EventPattern('told')
  told(@Payload() data: unknown): void {
    this.journal.note(data);
  }
}

/** Notes each connection beside what arrives through it. */
const app: Application = {
  controllers: [Answers],
  prepare: (nest, _server, journal) => nest.on('connection', () => journal.note('connected')),
};

const ping = (client: Client, data: unknown = 1): Promise<unknown> =>
  firstValueFrom(client.send('ping', data));
const tell = (client: Client, data: unknown = 1): Promise<unknown> =>
  lastValueFrom(client.emit('told', data));

const connect = (client: Client): Promise<unknown> => client.connect();
const close = async (client: Client): Promise<unknown> => (await client.close()) as unknown;

/** What a client that has not connected sees, and what its server notes of it. */
const fresh = (
  says: string,
  see: (client: Client) => Promise<unknown>,
  sees: unknown,
  noted: unknown[],
): Row =>
  equal(
    says,
    served(app, async ({ kit, server, journal }) => {
      // The connection of the client that the world has.
      await journal.whenNoted(1);
      journal.notes.length = 0;
      const seen = await see(kit.client(server));
      await journal.whenNoted(noted.length);
      await turns();
      return [seen, [...journal.notes]];
    }),
    [sees, noted],
  );

/** How an Observable or a promise ended; a failure without its text, and without the number of a port. */
async function outcome(source: Observable<unknown> | Promise<unknown>): Promise<unknown> {
  const ended: unknown = source instanceof Promise ? await settled(source) : (await trace(source)).end;
  if (typeof ended !== 'object' || ended === null || 'resolves' in ended) return 'succeeds';
  const [error] = Object.values(ended) as unknown[];
  return String(error).replace(/ 127.*| read.*/, '');
}

const closedMeanwhile = exception(
  '`close()` while the client connects',
  served(app, async ({ kit, server }) => {
    const client = kit.client(server);
    const connected = outcome(client.connect());
    await client.close();
    return [await connected, await ping(client)];
  }),
  {
    tcp: { says: '`connect()` resolves, on a connection that ends', sees: ['succeeds', 'pong'] },
    uds: { says: '`connect()` fails with CLIENT_CLOSED', sees: ['UsageError CLIENT_CLOSED', 'pong'] },
    because: 'Once `connect()` has resolved, the connection can be used.',
  },
);

const closedBehindCalls = exception(
  '`close()` while the client connects for a message and an event',
  served(app, async ({ kit, server, journal }) => {
    await journal.whenNoted(1);
    journal.notes.length = 0;
    const client = kit.client(server);
    const calls = [outcome(client.send('ping', 1)), outcome(client.emit('told', 2))];
    await client.close();
    const seen = await Promise.all(calls);
    await ping(client, 3);
    return [...seen, journal.notes.filter((note) => note !== 'connected')];
  }),
  {
    tcp: {
      says: 'loses both, which fail with a TypeError',
      sees: ['TypeError: Cannot', 'TypeError: Cannot', [3]],
    },
    uds: { says: 'waits for both', sees: ['succeeds', 'succeeds', [1, 2, 3]] },
    because: '`close()` waits for what was sent before it.',
  },
);

const nobody = exception(
  '`connect()`, a message and an event where nobody listens',
  async (kit) => {
    const client = await kit.strayClient();
    return [
      await outcome(client.connect()),
      await outcome(client.send('ping', 1)),
      await outcome(client.emit('told', 1)),
      await outcome(client.connect()),
    ];
  },
  {
    tcp: { says: "fail with the system's error", sees: Array<string>(4).fill('Error: connect ECONNREFUSED') },
    uds: {
      says: 'fail with SERVER_NOT_FOUND',
      sees: Array<string>(4).fill('ConnectionError SERVER_NOT_FOUND'),
    },
    because: 'Our own errors have codes, and say what to do.',
  },
);

const unheard = exception(
  '`client.on(…)` of a client that cannot connect',
  async (kit) => {
    const client = await kit.strayClient();
    const heard: string[] = [];
    for (const event of ['connect', 'error', 'close']) client.on(event, () => heard.push(event));
    await settled(client.connect());
    await turns();
    return heard;
  },
  {
    tcp: { says: 'error and close', sees: ['error', 'close'] },
    uds: { says: 'none', sees: [] },
    because:
      'An attempt that fails is followed by the next; when the time is up, the call fails and `status` says so.',
  },
);

const unwrapped = equal(
  '`server.unwrap()` before `listen` gives the later `net.Server`',
  async (kit) => {
    let early: unknown;
    const { server } = await boot(kit, { prepare: (_nest, prepared) => (early = prepared.unwrap()) });
    return early === server.unwrap();
  },
  true,
);

export const connecting: Scenario = {
  title: 'Connecting',
  rows: [
    fresh(
      '`connect()` called many times: one connection',
      async (client) => {
        const atOnce = await Promise.all([connect(client), connect(client)]);
        return [...atOnce, await connect(client)];
      },
      [undefined, undefined, undefined],
      ['connected'],
    ),
    fresh(
      'first messages and events at once: one connection, in order',
      (client) => Promise.all([ping(client, 1), tell(client, 2), client.connect(), ping(client, 3)]),
      ['pong', undefined, undefined, 'pong'],
      ['connected', 1, 2, 3],
    ),
    fresh(
      '`send` without a subscriber: no connection',
      async (client) => {
        client.send('ping', 1);
        await turns();
      },
      undefined,
      [],
    ),
    fresh(
      '`emit` without a subscriber: connects and is sent',
      async (client) => {
        client.emit('told', 1);
      },
      undefined,
      ['connected', 1],
    ),
    fresh(
      '`connect()` after `close()`',
      async (client) => {
        await client.connect();
        await client.close();
        await client.connect();
        return await ping(client);
      },
      'pong',
      ['connected', 'connected', 1],
    ),
    fresh(
      'a message after `close()` connects again',
      async (client) => {
        await client.connect();
        await client.close();
        return await ping(client);
      },
      'pong',
      ['connected', 'connected', 1],
    ),
    fresh(
      'an event after `close()` connects again',
      async (client) => {
        await client.connect();
        await client.close();
        return await tell(client);
      },
      undefined,
      ['connected', 'connected', 1],
    ),
    fresh(
      '`close()` without `connect()`, and a message after it',
      async (client) => [await close(client), await close(client), await ping(client)],
      [undefined, undefined, 'pong'],
      ['connected', 1],
    ),
    fresh(
      '`close()` called many times',
      async (client) => {
        await ping(client);
        const atOnce = await Promise.all([close(client), close(client)]);
        return [...atOnce, await close(client)];
      },
      [undefined, undefined, undefined],
      ['connected', 1],
    ),
    equal(
      'a server that starts after a first `connect()` failed',
      async (kit) => {
        const address = await freeAddress(kit);
        const client = clientAt(address);
        const first = await settled(client.connect());
        await turns();
        await boot({ ...kit, server: address.server, client: () => client }, app);
        return ['rejects' in (first as object), await ping(client)];
      },
      [true, 'pong'],
    ),
    nobody,
    closedMeanwhile,
    closedBehindCalls,
    unheard,
    unwrapped,
  ],
};
