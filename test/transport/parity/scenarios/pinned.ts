import { Controller } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload, Transport } from '@nestjs/microservices';
import { isDeepStrictEqual } from 'node:util';
import { UDS_TRANSPORT } from '../../../../src/index.js';
import { turns } from '../../../support/wait.js';
import { answer } from '../answer.js';
import { assemble, start } from '../hybrid-app.js';
import type { Client, Kit, Strategy } from '../kit.js';
import { equal, exception, type Scenario } from '../row.js';
import { trace } from '../trace.js';
import { type Application, Journal, served, type World } from '../world.js';

const FIRST = Symbol('first');
const SECOND = Symbol('second');

@Controller()
class Pinned {
  constructor(private readonly journal: Journal) {}

  @MessagePattern('free')
  free(): string {
    return 'free';
  }

  @MessagePattern('kafka', Transport.KAFKA)
  kafka(): string {
    return 'kafka';
  }

  @MessagePattern('tcp', Transport.TCP)
  tcp(): string {
    return 'tcp';
  }

  @MessagePattern('uds', UDS_TRANSPORT)
  uds(): string {
    return 'uds';
  }

  @EventPattern('tcp-event', Transport.TCP)
  tcpEvent(@Payload() data: unknown): void {
    this.journal.note(data);
  }

  @EventPattern('uds-event', UDS_TRANSPORT)
  udsEvent(@Payload() data: unknown): void {
    this.journal.note(data);
  }

  @EventPattern('kafka-event', Transport.KAFKA)
  kafkaEvent(@Payload() data: unknown): void {
    this.journal.note(data);
  }

  @MessagePattern('both', FIRST)
  first(): string {
    return 'first';
  }

  @MessagePattern('both', SECOND)
  second(): string {
    return 'second';
  }

  @MessagePattern('only', SECOND)
  only(): string {
    return 'only';
  }

  @EventPattern('only-event', SECOND)
  onlyEvent(@Payload() data: unknown): void {
    this.journal.note(data);
  }

  @MessagePattern('same', Transport.TCP)
  tcpToo(): string {
    return 'of TCP';
  }

  @MessagePattern('same', UDS_TRANSPORT)
  udsToo(): string {
    return 'of UDS';
  }
}
const app: Application = { controllers: [Pinned] };

/** The same under an id of its own. */
const renamed: Application = { ...app, prepare: (_nest, server) => server.setTransportId(SECOND) };

/** Of the two transports that are compared, the one that does not serve. */
const otherThan = ({ name }: Kit): string => (name === 'tcp' ? 'uds' : 'tcp');

const answers = (client: Client, ...patterns: string[]): Promise<unknown[]> =>
  Promise.all(patterns.map((pattern) => answer(client, pattern)));

/** Which of the events reach a handler. */
async function arrived({ client, journal }: World, ...events: string[]): Promise<unknown> {
  for (const event of events) await trace(client.emit(event, event));
  await answer(client, 'free');
  await turns();
  return [...journal.notes];
}

/** A server for each of the two ids. */
const withIds = (kit: Kit): Strategy[] =>
  [FIRST, SECOND].map((id) => {
    const server = kit.server();
    server.setTransportId(id);
    return server;
  });

export const pinned: Scenario = {
  title: 'Handlers that are pinned to a transport',
  rows: [
    equal(
      'a handler without a transport id: every transport serves it',
      served(app, ({ client }) => answer(client, 'free')),
      'free',
    ),
    equal(
      "a handler with our transport's id",
      served(app, async ({ kit, client }) => (await answer(client, kit.name)) === kit.name),
      true,
    ),
    equal(
      "a handler with another transport's id is not found",
      served(app, async ({ kit, client }) => [
        await answer(client, otherThan(kit)),
        await answer(client, 'kafka'),
      ]),
      ['nobody', 'nobody'],
    ),
    equal(
      "an event handler with our transport's id",
      served(app, async (world) => {
        const own = `${world.kit.name}-event`;
        return isDeepStrictEqual(await arrived(world, own), [own]);
      }),
      true,
    ),
    equal(
      "an event handler with another transport's id does not run",
      served(app, (world) => arrived(world, `${otherThan(world.kit)}-event`, 'kafka-event')),
      [],
    ),
    equal(
      'a handler with an id that `setTransportId()` gave the server',
      served(renamed, async (world) => [
        world.server.transportId === SECOND,
        await answers(world.client, 'free', 'only', 'both', 'tcp', 'uds'),
        await arrived(world, 'only-event', 'tcp-event', 'uds-event'),
        [...world.server.getHandlers().keys()],
      ]),
      [
        true,
        ['free', 'only', 'second', 'nobody', 'nobody'],
        ['only-event'],
        ['free', 'both', 'only', 'only-event'],
      ],
    ),
    equal(
      'handlers of two servers in one process, each server with its own id',
      async (kit) => {
        const clients = await start(await assemble(kit, { controllers: [Pinned], servers: withIds }));
        return await Promise.all(clients.map((client) => answers(client, 'free', 'only', 'both')));
      },
      [
        ['free', 'nobody', 'first'],
        ['free', 'only', 'second'],
      ],
    ),
    exception(
      'one pattern with a handler for `Transport.TCP` and one for `UDS_TRANSPORT`',
      served(app, ({ client }) => answer(client, 'same')),
      {
        tcp: { says: 'the first answers', sees: 'of TCP' },
        uds: { says: 'the second answers', sees: 'of UDS' },
        because: 'Each transport has an id of its own, so that an application may serve both.',
      },
    ),
  ],
};
