import {
  type CanActivate,
  Controller,
  type DynamicModule,
  Inject,
  Injectable,
  Module,
  UseGuards,
} from '@nestjs/common';
import {
  Client as DecoratedClient,
  ClientProxy,
  ClientProxyFactory,
  type ClientProvider,
  ClientsModule,
  type ClientsModuleOptionsFactory,
  MessagePattern,
} from '@nestjs/microservices';
import { Test, type TestingModuleBuilder } from '@nestjs/testing';
import { afterThisTest } from '../../../support/cleanup.js';
import { until } from '../../../support/wait.js';
import { type Address, clientAt, freeAddress } from '../address.js';
import { answer } from '../answer.js';
import type { Client, Kit } from '../kit.js';
import { equal, type Row, type Scenario } from '../row.js';
import { completes, fails, settled, trace } from '../trace.js';
import { boot } from '../world.js';

const NAME = 'GREETER';

@Injectable()
class Greeting {
  text(): string {
    return 'hello';
  }
}

class Allows implements CanActivate {
  canActivate(): boolean {
    return true;
  }
}

@Controller()
@UseGuards(Allows)
class Greeter {
  constructor(private readonly greeting: Greeting) {}

  @MessagePattern('greet')
  greet(): string {
    return this.greeting.text();
  }
}

@Module({ controllers: [Greeter], providers: [Greeting] })
class GreeterModule {}

@Injectable()
class Caller {
  constructor(@Inject(NAME) readonly client: ClientProxy) {}
}

/** A greeter at an address of its own. */
async function greeterAt(kit: Kit): Promise<Address> {
  const address = await freeAddress(kit);
  const at = { ...kit, server: address.server, client: () => clientAt(address) };
  await boot(at, { imports: [GreeterModule] });
  return address;
}

/** What a client is answered, and what becomes of it when its application closes. */
async function used(client: Client, app: { close(): Promise<void> }): Promise<unknown> {
  const statuses: unknown[] = [];
  client.status.subscribe((status) => statuses.push(status));
  const said = await answer(client, 'greet');
  await app.close();
  await until(() => statuses.at(-1) === 'disconnected', 'the client closed');
  return [said, statuses];
}

const USED = ['hello', ['connected', 'disconnected']];

/** An application that is given a client, by what `wire` imports. */
const injected = (says: string, wire: (address: Address) => DynamicModule): Row =>
  equal(
    says,
    async (kit) => {
      const address = await greeterAt(kit);
      const app = await Test.createTestingModule({
        imports: [wire(address)],
        providers: [Caller],
      }).compile();
      return await used(app.get(Caller).client, app);
    },
    USED,
  );

/** A testing module that serves the greeter. */
const tested = (
  says: string,
  change: (builder: TestingModuleBuilder) => TestingModuleBuilder,
  sees: unknown,
): Row =>
  equal(
    says,
    async (kit) => {
      const module = await change(Test.createTestingModule({ imports: [GreeterModule] })).compile();
      const strategy = kit.server();
      const app = module.createNestMicroservice({ strategy, logger: false });
      afterThisTest(() => app.close());
      await app.listen();
      return await trace(kit.client(strategy).send('greet', 1));
    },
    sees,
  );

class Refuses implements CanActivate {
  canActivate(): boolean {
    return false;
  }
}

async function decorated(kit: Kit): Promise<unknown> {
  const { config } = await greeterAt(kit);

  @Controller()
  class Asks {
    @DecoratedClient(config)
    readonly client!: Client;

    @MessagePattern('ask')
    ask(): Promise<unknown> {
      return answer(this.client, 'greet');
    }
  }
  const { app, client } = await boot(kit, { controllers: [Asks] });
  const own = app.get(Asks).client;
  return [await answer(client, 'ask'), await used(own, app)];
}

export const wiring: Scenario = {
  title: 'Wiring',
  rows: [
    injected('`ClientsModule.register()`, until the application closes', ({ config }) =>
      ClientsModule.register([{ name: NAME, ...config }]),
    ),
    injected('`ClientsModule.registerAsync()` with a factory', ({ config }) =>
      ClientsModule.registerAsync([
        {
          name: NAME,
          inject: ['CONFIG'],
          extraProviders: [{ provide: 'CONFIG', useValue: config }],
          useFactory: (given: ClientProvider) => given,
        },
      ]),
    ),
    injected('`ClientsModule.registerAsync()` with a class', ({ config }) => {
      class Configured implements ClientsModuleOptionsFactory {
        createClientOptions(): ClientProvider {
          return config;
        }
      }
      return ClientsModule.registerAsync([{ name: NAME, useClass: Configured }]);
    }),
    injected('`ClientsModule.register({ isGlobal: true })`', ({ config }) =>
      ClientsModule.register({ isGlobal: true, clients: [{ name: NAME, ...config }] }),
    ),
    equal('`@Client()` used in a handler', decorated, ['hello', USED]),
    equal(
      '`ClientProxyFactory.create()`',
      async (kit) => {
        const client = ClientProxyFactory.create((await greeterAt(kit)).config);
        return await used(client, { close: () => client.close() as Promise<void> });
      },
      USED,
    ),
    equal(
      'a client that is never used: nothing connects, and closing works',
      async (kit) => {
        const { config } = await freeAddress(kit);
        const module = await Test.createTestingModule({
          imports: [ClientsModule.register([{ name: NAME, ...config }])],
          providers: [Caller],
        }).compile();
        await module.init();
        return await settled(module.close());
      },
      { resolves: undefined },
    ),
    equal(
      '`connect()` in `onApplicationBootstrap()`',
      async (kit) => {
        const { config } = await greeterAt(kit);

        @Injectable()
        class Eager extends Caller {
          onApplicationBootstrap(): Promise<unknown> {
            return this.client.connect();
          }
        }
        const module = await Test.createTestingModule({
          imports: [ClientsModule.register([{ name: NAME, ...config }])],
          providers: [Eager],
        }).compile();
        const statuses: unknown[] = [];
        module.get(Eager).client.status.subscribe((status) => statuses.push(status));
        await module.init();
        const before = [...statuses];
        return [before, await used(module.get(Eager).client, module)];
      },
      [['connected'], USED],
    ),
    tested('`createNestMicroservice()` of a testing module', (builder) => builder, completes('hello')),
    tested(
      '`overrideProvider()` of a testing module',
      (builder) => builder.overrideProvider(Greeting).useValue({ text: () => 'overridden' }),
      completes('overridden'),
    ),
    tested(
      '`overrideGuard()` of a testing module',
      (builder) => builder.overrideGuard(Allows).useClass(Refuses),
      fails({ status: 'error', message: 'Forbidden resource' }),
    ),
  ],
};
