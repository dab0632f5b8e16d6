import { Controller } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { firstValueFrom, lastValueFrom } from 'rxjs';
import { turns, until } from '../../../support/wait.js';
import { answer } from '../answer.js';
import { assemble, start } from '../hybrid-app.js';
import type { Client, Kit } from '../kit.js';
import { equal, type Scenario, type See } from '../row.js';
import { boot, Journal, type World } from '../world.js';

@Controller()
class Orders {
  constructor(private readonly journal: Journal) {}

  @MessagePattern('who')
  who(): string {
    return 'orders';
  }

  @MessagePattern('order')
  order(): string {
    return 'ordered';
  }

  @EventPattern('told')
  told(@Payload() data: unknown): void {
    this.journal.note(data);
  }
}

@Controller()
class Stock {
  constructor(private readonly journal: Journal) {}

  @MessagePattern('who')
  who(): string {
    return 'stock';
  }

  @EventPattern('told')
  told(@Payload() data: unknown): void {
    this.journal.note(data);
  }
}

/** Two applications of one process. */
const both =
  (see: (orders: World, stock: World) => Promise<unknown>): See =>
  async (kit) =>
    await see(await boot(kit, { controllers: [Orders] }), await boot(kit, { controllers: [Stock] }));

/** One application with a server at each of two addresses. */
async function twice(kit: Kit): Promise<{ journal: Journal; clients: readonly Client[] }> {
  const hybrid = await assemble(kit, {
    controllers: [Orders],
    servers: () => [kit.server(), kit.server()],
  });
  return { journal: hybrid.journal, clients: await start(hybrid) };
}

async function closed({ client, app }: World): Promise<void> {
  const statuses: unknown[] = [];
  client.status.subscribe((status) => statuses.push(status));
  await app.close();
  await until(() => statuses.at(-1) === 'disconnected', 'the client lost its connection');
}

export const twoServers: Scenario = {
  title: 'Two servers in one process',
  rows: [
    equal(
      'two servers in one process: each client reaches the handlers of its own',
      both(async (orders, stock) => [
        await answer(orders.client, 'who'),
        await answer(stock.client, 'who'),
        await answer(orders.client, 'order'),
        await answer(stock.client, 'order'),
      ]),
      ['orders', 'stock', 'ordered', 'nobody'],
    ),
    equal(
      'two servers in one process: an event goes to one of them',
      both(async (orders, stock) => {
        await lastValueFrom(stock.client.emit('told', 1));
        await stock.journal.whenNoted(1);
        await turns();
        return [[...orders.journal.notes], [...stock.journal.notes]];
      }),
      [[], [1]],
    ),
    equal(
      'two servers in one process: one that closes leaves the other alone',
      both(async (orders, stock) => {
        const statuses: unknown[] = [];
        stock.client.status.subscribe((status) => statuses.push(status));
        await closed(orders);
        return [await answer(stock.client, 'who'), statuses.slice()];
      }),
      ['stock', ['connected']],
    ),
    equal(
      'a handler that calls another server of the process',
      async (kit) => {
        const stock = await boot(kit, { controllers: [Stock] });

        @Controller()
        class Asks {
          @MessagePattern('ask')
          async ask(): Promise<string> {
            return `stock says ${await firstValueFrom(stock.client.send<string>('who', 1))}`;
          }
        }
        const { client } = await boot(kit, { controllers: [Asks] });
        return await answer(client, 'ask');
      },
      'stock says stock',
    ),
    equal(
      'a handler that calls its own server',
      async (kit) => {
        const own: Client[] = [];

        @Controller()
        class Asks {
          @MessagePattern('ask')
          async ask(): Promise<unknown> {
            return [await answer(own[0]!, 'who'), 'at the second step'];
          }

          @MessagePattern('who')
          who(): string {
            return 'itself';
          }
        }
        const { client } = await boot(kit, { controllers: [Asks] });
        own.push(client);
        return await answer(client, 'ask');
      },
      ['itself', 'at the second step'],
    ),
    equal(
      'two servers of one application answer from the same handlers',
      async (kit) => {
        const { journal, clients } = await twice(kit);
        const answers = await Promise.all(clients.map((client) => answer(client, 'who')));
        for (const [at, client] of clients.entries()) await lastValueFrom(client.emit('told', at));
        await journal.whenNoted(2);
        return [answers, [...journal.notes].sort()];
      },
      [
        ['orders', 'orders'],
        [0, 1],
      ],
    ),
  ],
};
