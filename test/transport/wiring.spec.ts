import { describe, expect, it } from '@jest/globals';
import { Controller, Inject, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  Client,
  ClientProxy,
  ClientProxyFactory,
  ClientsModule,
  MessagePattern,
  type MicroserviceOptions,
} from '@nestjs/microservices';
import { HealthCheckService, MicroserviceHealthIndicator, TerminusModule } from '@nestjs/terminus';
import { Test } from '@nestjs/testing';
import { existsSync } from 'node:fs';
import { lastValueFrom } from 'rxjs';
import { UdsClient, udsClient, udsServer } from '../../src/index.js';
import { afterThisTest } from '../support/cleanup.js';
import { BareHttpAdapter } from '../support/http-adapter.js';
import { clientOf, serve, socketPath } from '../support/nest.js';

@Controller()
class Greeter {
  @MessagePattern('greet')
  greet(): string {
    return 'hello';
  }
}

@Module({ controllers: [Greeter] })
class GreeterModule {}

const QUIET = { logger: false, abortOnError: false } as const;
const GREETED = 'hello';
const greet = (client: ClientProxy): Promise<string> => lastValueFrom(client.send<string>('greet', 1));

describe('udsServer(options) works in', () => {
  it('NestFactory.createMicroservice', async () => {
    const path = socketPath();
    const app = await NestFactory.createMicroservice(GreeterModule, { ...udsServer({ path }), ...QUIET });
    afterThisTest(() => app.close());
    await app.listen();
    expect(await greet(clientOf(path))).toBe(GREETED);
  });

  it('NestFactory.createMicroservice<MicroserviceOptions>', async () => {
    const path = socketPath();
    const app = await NestFactory.createMicroservice<MicroserviceOptions>(GreeterModule, {
      ...udsServer({ path }),
      ...QUIET,
    });
    afterThisTest(() => app.close());
    await app.listen();
    expect(await greet(clientOf(path))).toBe(GREETED);
  });

  it('connectMicroservice of a hybrid application, next to a second one', async () => {
    const [first, second] = [socketPath(), socketPath()];
    const app = await NestFactory.create(GreeterModule, new BareHttpAdapter(), QUIET);
    afterThisTest(() => app.close());
    app.connectMicroservice(udsServer({ path: first }));
    app.connectMicroservice<MicroserviceOptions>(udsServer({ path: second }));
    await app.startAllMicroservices();
    await app.listen(0);
    for (const path of [first, second]) expect(await greet(clientOf(path))).toBe(GREETED);
    await app.close();
    for (const path of [first, second]) expect(existsSync(path)).toBe(false);
  });

  it('createNestMicroservice of @nestjs/testing', async () => {
    const path = socketPath();
    const module = await Test.createTestingModule({ imports: [GreeterModule] }).compile();
    const app = module.createNestMicroservice({ ...udsServer({ path }), logger: false });
    afterThisTest(() => app.close());
    await app.listen();
    expect(await greet(clientOf(path))).toBe(GREETED);
  });

  it('an application whose listen fails: it rejects, and can be closed', async () => {
    const { path } = await serve([Greeter]);
    const app = await NestFactory.createMicroservice(GreeterModule, { ...udsServer({ path }), ...QUIET });
    await expect(app.listen()).rejects.toMatchObject({ code: 'ADDRESS_IN_USE' });
    await app.close();
    expect(await greet(clientOf(path))).toBe(GREETED);
  });
});

@Injectable()
class Caller {
  constructor(@Inject('GREETER') readonly client: ClientProxy) {}
}

describe('udsClient(options) works in', () => {
  it('ClientsModule.register; it is closed with the application', async () => {
    const { path } = await serve([Greeter]);
    const module = await Test.createTestingModule({
      imports: [ClientsModule.register([{ name: 'GREETER', ...udsClient({ path }) }])],
      providers: [Caller],
    }).compile();
    const { client } = module.get(Caller);
    expect(client).toBeInstanceOf(UdsClient);
    expect(await greet(client)).toBe(GREETED);
    await module.close();
    expect(() => client.unwrap()).toThrow('Not initialized');
  });

  it('ClientsModule.registerAsync', async () => {
    const { path } = await serve([Greeter]);
    const module = await Test.createTestingModule({
      imports: [
        ClientsModule.registerAsync([
          {
            name: 'GREETER',
            inject: ['PATH'],
            extraProviders: [{ provide: 'PATH', useValue: path }],
            useFactory: (given: string) => udsClient({ path: given }),
          },
        ]),
      ],
      providers: [Caller],
    }).compile();
    afterThisTest(() => module.close());
    expect(await greet(module.get(Caller).client)).toBe(GREETED);
  });

  it('@Client in a provider', async () => {
    const { path } = await serve([Greeter]);

    @Injectable()
    class Holder {
      @Client(udsClient({ path }))
      client!: ClientProxy;
    }
    const module = await Test.createTestingModule({ providers: [Holder] }).compile();
    const app = module.createNestMicroservice({ ...udsServer({ path: socketPath() }), logger: false });
    afterThisTest(() => app.close());
    await app.listen();
    const { client } = module.get(Holder);
    expect(client).toBeInstanceOf(UdsClient);
    expect(await greet(client)).toBe(GREETED);
  });

  it('ClientProxyFactory.create', async () => {
    const { path } = await serve([Greeter]);
    const client = ClientProxyFactory.create(udsClient({ path }));
    afterThisTest(() => client.close());
    expect(client).toBeInstanceOf(UdsClient);
    expect(await greet(client)).toBe(GREETED);
  });
});

describe("terminus' pingCheck", () => {
  async function ping(path: string): Promise<unknown> {
    const module = await Test.createTestingModule({
      imports: [TerminusModule.forRoot({ logger: false })],
    }).compile();
    afterThisTest(() => module.close());
    const indicator = await module.resolve(MicroserviceHealthIndicator);
    const health = await module.resolve(HealthCheckService);
    return health
      .check([
        () => indicator.pingCheck('greeter', udsClient({ path, connectTimeoutMs: 100 })).withTimeout(10_000),
      ])
      .catch((error: unknown) => (error as { getResponse(): unknown }).getResponse());
  }

  it('says up where a server answers', async () => {
    const { path } = await serve([Greeter]);
    expect(await ping(path)).toMatchObject({ status: 'ok', info: { greeter: { status: 'up' } } });
  });

  it('says down where nobody listens, with the reason', async () => {
    const path = socketPath();
    expect(await ping(path)).toMatchObject({
      status: 'error',
      error: { greeter: { status: 'down', message: expect.stringContaining(path) } },
    });
  });
});
