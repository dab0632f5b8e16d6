import { Controller } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { firstValueFrom, lastValueFrom, map, type Observable, range } from 'rxjs';
import { Gate } from '../../../support/wait.js';
import { logOf } from '../asked.js';
import type { ClientOptions, ServerOptions } from '../kit.js';
import { equal, exception, type Row, type Scenario, type See } from '../row.js';
import { fails, settled, trace, traceBeside, waits } from '../trace.js';
import { boot, Journal, type World } from '../world.js';

const KILOBYTE = 'x'.repeat(1024);
/** More than the smallest `maxFrameBytes` that there may be. */
const LARGE = 'x'.repeat(100_000);
const SMALLEST_FRAME = { maxFrameBytes: 65_536 };

@Controller()
class Limited {
  /** What the handler of `never` waits for, and does not get before its row is over. */
  readonly over = new Gate();

  constructor(private readonly journal: Journal) {}

  @MessagePattern('length')
  length(@Payload() payload: string): number {
    return payload.length;
  }

  @MessagePattern('text')
  text(@Payload() length: number): string {
    return 'x'.repeat(length);
  }

  @MessagePattern('never')
  never(): Promise<void> {
    return this.over.opened;
  }

  @MessagePattern('kilobytes')
  kilobytes(@Payload() count: number): Observable<string> {
    return range(0, count).pipe(map(() => KILOBYTE));
  }

  @EventPattern('told')
  told(@Payload() data: unknown): void {
    this.journal.note(data);
  }
}

interface Ends {
  readonly server?: ServerOptions['limits'];
  readonly client?: ClientOptions['limits'];
}

/** What is seen of an application whose ends have limits, over our transport. */
const within =
  ({ server, client }: Ends, see: (world: World) => Promise<unknown>): See =>
  async (kit) => {
    const world = await boot(kit, {
      controllers: [Limited],
      ...(server && { serverOptions: { limits: server } }),
      ...(client && { clientOptions: { limits: client } }),
    });
    try {
      return await see(world);
    } finally {
      world.app.get(Limited).over.open();
    }
  };

/** How a call ends that TCP answers with one value; the call behind it is answered in either case. */
const reaching = (pattern: string, payload: unknown, ends: Ends): See =>
  within(ends, async ({ client }) => {
    const { values, end } = await trace(client.send(pattern, payload));
    return [values.length, end, await firstValueFrom(client.send<number>('length', 'behind'))];
  });

/** A limit that fails the call that reaches it, and no other. */
const limited = (says: string, see: See, code: string, option: string, because: string): Row =>
  exception(says, see, {
    tcp: { says: 'is sent and answered', sees: [1, 'completes', 6] },
    uds: { says: `fails with ${code.replace(/.* /, '')}; ${option}`, sees: [0, fails(code).end, 6] },
    because,
  });

/** Beside what TCP lets wait for ever, calls are answered; ours says when the time is up. */
const unanswered = (client: ClientOptions['limits'], waitsHere: boolean): See =>
  within({ ...(client && { client }) }, async (world) => {
    const call = world.client.send('never', 1);
    const isToFail = world.kit.name === 'uds' && !waitsHere;
    return isToFail ? await trace(call) : await traceBeside(call, world, 'length');
  });

/** Calls of a client that has not connected yet, all at once. */
const atOnce = (ends: Ends, count: number): See =>
  within(ends, async ({ kit, server }) => {
    const client = kit.client(server, ends.client && { limits: ends.client });
    const calls = Array.from({ length: count }, () => trace(client.send('length', 'x')));
    return (await Promise.all(calls)).map(({ end }) => end);
  });

/** A client too many, beside one that goes on. */
const oneTooMany = within({ server: { maxConnections: 1 } }, async (world) => {
  const { kit, server, client } = world;
  const second = kit.client(server, { limits: { connectTimeoutMs: 50 } });
  const connected = await settled(second.connect());
  return [connected, await firstValueFrom(client.send<number>('length', 'x')), logOf(world).slice(0, 1)];
});

const waiting: readonly Row[] = [
  exception('a handler that never answers', unanswered({ requestTimeoutMs: 50 }, false), {
    tcp: { says: 'waits for ever', sees: waits() },
    uds: {
      says: 'fails with DEADLINE_EXCEEDED; `requestTimeoutMs` (default 30 s) raises the limit, 0 waits for ever',
      sees: fails('ConnectionError DEADLINE_EXCEEDED'),
    },
    because: 'A handler that hangs must not collect callers until the process has no memory left.',
  }),
  equal(
    'a handler that never answers, with `requestTimeoutMs: 0`: the caller waits',
    unanswered({ requestTimeoutMs: 0 }, true),
    waits(),
  ),
  exception(
    'more calls at once than `maxQueuedCalls`, before the client has connected',
    atOnce({ client: { maxQueuedCalls: 2 } }, 3),
    {
      tcp: { says: 'are all answered', sees: ['completes', 'completes', 'completes'] },
      uds: {
        says: 'those beyond it fail with QUEUE_FULL; `maxQueuedCalls` (default 100,000) raises the limit',
        sees: ['completes', 'completes', fails('ConnectionError QUEUE_FULL').end],
      },
      because:
        'A caller that sends without waiting must not take the memory of its process while a server is away.',
    },
  ),
  exception('more clients at once than `maxConnections`', oneTooMany, {
    tcp: { says: 'all connect', sees: [{ resolves: undefined }, 1, []] },
    uds: {
      says: 'one beyond it fails with HELLO_LOST, the server logs TOO_MANY_CONNECTIONS; `maxConnections` (default 16,384) raises the limit',
      sees: [{ rejects: 'ConnectionError HELLO_LOST' }, 1, ['TOO_MANY_CONNECTIONS']],
    },
    because: 'One caller must not take every file descriptor of a server.',
  }),
];

const sizes: readonly Row[] = [
  limited(
    'a payload longer than `maxFrameBytes` of the server',
    reaching('length', LARGE, { server: SMALLEST_FRAME }),
    'UsageError PAYLOAD_TOO_LARGE',
    '`maxFrameBytes` of the server (default 16 MiB) raises the limit',
    'One payload must not take the memory of a server.',
  ),
  limited(
    'an answer longer than `maxFrameBytes` of the client',
    reaching('text', LARGE.length, { client: SMALLEST_FRAME }),
    'RemoteError ANSWER_TOO_LARGE',
    '`maxFrameBytes` of the client (default 16 MiB) raises the limit',
    'One answer must not take the memory of its caller.',
  ),
  limited(
    'metadata longer than `maxMetadataBytes` of the server',
    within({}, async ({ client }) => {
      client.setOnDispatchHook((packet) => {
        if (packet.data === 'long') packet.metadata = { trace: 'x'.repeat(8192) };
      });
      const { values, end } = await trace(client.send('length', 'long'));
      return [values.length, end, await firstValueFrom(client.send<number>('length', 'behind'))];
    }),
    'RemoteError METADATA_TOO_LARGE',
    '`maxMetadataBytes` of the server (default 8 KiB) raises the limit',
    'Metadata is read before any guard runs, so it has a bound of its own.',
  ),
  exception(
    'an Observable further ahead of its reader than `maxStreamBufferBytes`',
    within(
      { server: { maxStreamBufferBytes: 1024 }, client: { streamCreditBytes: 1024 } },
      async ({ client }) => {
        const { values, end } = await trace(client.send('kilobytes', 100));
        return [values.length === 100, end, await firstValueFrom(client.send<number>('length', 'behind'))];
      },
    ),
    {
      tcp: { says: 'is kept in memory, however long', sees: [true, 'completes', 6] },
      uds: {
        says: 'fails with STREAM_OVERFLOW; `maxStreamBufferBytes` of the server (default 1 MiB) raises the limit, and a generator waits for its reader',
        sees: [false, fails('RemoteError STREAM_OVERFLOW').end, 6],
      },
      because: 'An Observable cannot be told to wait; one slow reader must not take the memory of a server.',
    },
  ),
];

const plenty: readonly Row[] = [
  equal(
    'more messages at once than `maxInFlight` are all answered',
    within({ server: { maxInFlight: 16 } }, async ({ client }) => {
      const calls = Array.from({ length: 500 }, (_, index) =>
        lastValueFrom(client.send<string>('text', index)),
      );
      return (await Promise.all(calls)).map((text) => text.length);
    }),
    Array.from({ length: 500 }, (_, index) => index),
  ),
  equal(
    'more events at once than `maxEvents` all arrive, in order',
    within({ server: { maxEvents: 16 } }, async ({ client, journal }) => {
      for (let index = 1; index <= 500; index += 1) client.emit('told', index);
      return [...(await journal.whenNoted(500))];
    }),
    Array.from({ length: 500 }, (_, index) => index + 1),
  ),
  equal(
    '1,000 answers of 20,000 characters at once',
    within({}, async ({ client }) => {
      const calls = Array.from({ length: 1000 }, () => lastValueFrom(client.send<string>('text', 20_000)));
      return (await Promise.all(calls)).filter((text) => text.length === 20_000).length;
    }),
    1000,
  ),
];

export const limits: Scenario = { title: 'Limits', rows: [...waiting, ...sizes, ...plenty] };
