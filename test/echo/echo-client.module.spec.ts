import { describe, expect, it } from '@jest/globals';
import { Injectable, Module, type ModuleMetadata, type BeforeApplicationShutdown } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EchoController } from '../../src/echo/echo.controller.js';
import { EchoClient, EchoClientModule, EchoModule } from '../../src/echo/index.js';
import { UdsServer } from '../../src/index.js';
import { afterThisTest } from '../support/cleanup.js';
import { type Served, serve, socketPath } from '../support/nest.js';
import { until } from '../support/wait.js';

@Injectable()
class Greeter implements BeforeApplicationShutdown {
  lastEcho: string | undefined;

  constructor(readonly echo: EchoClient) {}

  async beforeApplicationShutdown(): Promise<void> {
    this.lastEcho = await this.echo.echo('goodbye');
  }
}

@Module({ providers: [Greeter] })
class GreeterModule {}

/** An application that imports what it is given, beside a provider that injects the client. */
async function boot(imports: NonNullable<ModuleMetadata['imports']>, providers = [Greeter]) {
  @Module({})
  class Root {}
  const app = await NestFactory.createApplicationContext(
    { module: Root, imports, providers },
    { logger: false, abortOnError: false },
  );
  afterThisTest(() => app.close());
  return app;
}

const connectionsOf = async ({ server }: Served): Promise<number> =>
  await new Promise((resolve, reject) => {
    server.unwrap().getConnections((error, count) => (error ? reject(error) : resolve(count)));
  });

@Injectable()
class Place {
  readonly path = 'replaced by a test';
}

describe('EchoClientModule', () => {
  it('gives an application the client with forRoot', async () => {
    const { path } = await serve([EchoController]);
    const app = await boot([EchoClientModule.forRoot({ path })]);
    expect(await app.get(Greeter).echo.echo('hello')).toBe('hello');
  });

  it('takes its options from another provider with forRootAsync', async () => {
    const { path } = await serve([EchoController]);
    @Module({ providers: [{ provide: Place, useValue: { path } }], exports: [Place] })
    class PlaceModule {}
    const options = {
      imports: [PlaceModule],
      inject: [Place],
      useFactory: async ({ path: at }: Place) => ({ path: at }),
    };
    const app = await boot([EchoClientModule.forRootAsync(options)]);
    expect(await app.get(Greeter).echo.echo('hello')).toBe('hello');
  });

  it.each(['forRoot', 'forRootAsync'] as const)('serves every module where %s is global', async (way) => {
    const { path } = await serve([EchoController]);
    const module =
      way === 'forRoot'
        ? EchoClientModule.forRoot({ path, isGlobal: true })
        : EchoClientModule.forRootAsync({ isGlobal: true, useFactory: () => ({ path }) });
    const app = await boot([GreeterModule, module], []);
    expect(await app.get(Greeter, { strict: false }).echo.echo('hello')).toBe('hello');
  });

  it('serves no other module where it is not global', async () => {
    const module = EchoClientModule.forRoot({ path: '/nobody.sock' });
    await expect(boot([GreeterModule, module], [])).rejects.toThrow(
      /can't resolve dependencies.*EchoClient/s,
    );
  });

  it('fails the boot for a wrong option', async () => {
    const unknown = { path: '/nobody.sock', pathh: 'x' };
    await expect(boot([EchoClientModule.forRoot(unknown)])).rejects.toMatchObject({ code: 'INVALID_OPTION' });
  });

  it('echoes for other hooks until the last, and closes then', async () => {
    const served = await serve([EchoController]);
    const app = await boot([EchoClientModule.forRoot({ path: served.path })]);
    const greeter = app.get(Greeter);
    await greeter.echo.connect();
    expect(await connectionsOf(served)).toBe(1);
    await app.close();
    expect(greeter.lastEcho).toBe('goodbye');
    let connections = 1;
    await until(() => {
      void connectionsOf(served).then((count) => (connections = count));
      return connections === 0;
    }, 'the connection was closed');
  });
});

describe('EchoModule', () => {
  it('is a microservice as it is', async () => {
    const path = socketPath();
    const strategy = new UdsServer({ path });
    const app = await NestFactory.createMicroservice(EchoModule, {
      strategy,
      logger: false,
      abortOnError: false,
    });
    await app.listen();
    const client = new EchoClient({ path });
    expect(await client.echo('hello')).toBe('hello');
    await client.close();
    await app.close();
  });
});
