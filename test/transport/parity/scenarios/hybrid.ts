import {
  type ArgumentsHost,
  type CallHandler,
  type CanActivate,
  Catch,
  Controller,
  type ExecutionContext,
  type ExceptionFilter,
  type INestApplication,
  type INestMicroservice,
  Injectable,
  type NestInterceptor,
  type PipeTransform,
} from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR, APP_PIPE } from '@nestjs/core';
import { EventPattern, MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import type { Server } from 'node:http';
import { lastValueFrom, type Observable, throwError } from 'rxjs';
import { Gate, turns, until } from '../../../support/wait.js';
import { assemble, type Hybrid, type HybridApplication, start } from '../hybrid-app.js';
import type { Client } from '../kit.js';
import { equal, exception, type Row, type Scenario, type See } from '../row.js';
import { completes, fails, trace } from '../trace.js';
import { Journal } from '../world.js';

@Injectable()
class Guard implements CanActivate {
  constructor(private readonly journal: Journal) {}

  canActivate(context: ExecutionContext): boolean {
    this.journal.note(`guard of ${context.getType()}`);
    return true;
  }
}

@Injectable()
class Interceptor implements NestInterceptor {
  constructor(private readonly journal: Journal) {}

  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    this.journal.note('interceptor');
    return next.handle();
  }
}

@Injectable()
class Pipe implements PipeTransform {
  constructor(private readonly journal: Journal) {}

  transform(value: unknown): unknown {
    this.journal.note('pipe');
    return value;
  }
}

@Catch()
class Filter implements ExceptionFilter {
  constructor(private readonly journal: Journal) {}

  catch(error: Error, _host: ArgumentsHost): Observable<never> {
    this.journal.note('filter');
    return throwError(() => `filtered: ${error.message}`);
  }
}

@Controller()
class Works {
  readonly gate = new Gate();

  constructor(private readonly journal: Journal) {}

  @MessagePattern('ping')
  ping(): string {
    return 'pong';
  }

  @MessagePattern('fails')
  fails(@Payload() _data: unknown): never {
    throw new RpcException('no stock');
  }

  @MessagePattern('work')
  async work(): Promise<string> {
    this.journal.note('begins');
    await this.gate.opened;
    this.journal.note('ends');
    return 'done';
  }

  @EventPattern('told')
  told(@Payload() data: unknown): void {
    this.journal.note(data);
  }

  onModuleInit(): void {
    this.journal.note('init');
  }

  onApplicationBootstrap(): void {
    this.journal.note('bootstrap');
  }

  onModuleDestroy(): void {
    this.journal.note('destroy');
  }

  onApplicationShutdown(): void {
    this.journal.note('shutdown');
  }
}

const started =
  (hybrid: HybridApplication, see: (app: Hybrid, client: Client) => Promise<unknown>): See =>
  async (kit) => {
    const app = await assemble(kit, { controllers: [Works], ...hybrid });
    const [client] = await start(app);
    return await see(app, client!);
  };

function useGlobals(app: INestApplication | INestMicroservice, journal: Journal): void {
  app.useGlobalGuards(new Guard(journal));
  app.useGlobalInterceptors(new Interceptor(journal));
  app.useGlobalPipes(new Pipe(journal));
  app.useGlobalFilters(new Filter(journal));
}

const ofApp: HybridApplication = { prepare: useGlobals };
const ofMicroservice: HybridApplication = {
  connected: (microservices, journal) => {
    for (const microservice of microservices) useGlobals(microservice, journal);
  },
};
const ofProviders: HybridApplication = {
  providers: [
    { provide: APP_GUARD, useClass: Guard },
    { provide: APP_INTERCEPTOR, useClass: Interceptor },
    { provide: APP_PIPE, useClass: Pipe },
    { provide: APP_FILTER, useClass: Filter },
  ],
};

const INHERITED = { inheritAppConfig: true };

/** Whether guards, interceptors, pipes and filters of the whole application are run for a message. */
const globals = (says: string, hybrid: HybridApplication, areRun: boolean): Row =>
  equal(
    says,
    started(hybrid, async ({ journal }, client) => {
      journal.notes.length = 0;
      const { end } = await trace(client.send('fails', 1));
      return [end, [...journal.notes]];
    }),
    areRun
      ? [{ error: 'filtered: no stock' }, ['guard of rpc', 'interceptor', 'pipe', 'filter']]
      : [{ error: { status: 'error', message: 'no stock' } }, []],
  );

const listens = ({ app }: Hybrid): boolean => (app.getHttpServer() as Server).listening;

/** Closes while a handler is at work, and lets it come to its end after that. */
const closedDuring = (close: (hybrid: Hybrid) => Promise<void>): See =>
  started({}, async (hybrid, client) => {
    const { app, journal } = hybrid;
    const answer = trace(client.send('work', 1));
    await until(() => journal.notes.includes('begins'), 'the handler began');
    journal.notes.length = 0;
    const closed = close(hybrid);
    await turns();
    app.get(Works).gate.open();
    await Promise.all([answer, closed]);
    await until(() => journal.notes.includes('ends'), 'the handler came to its end');
    return [await answer, [...journal.notes]];
  });

const CUT = fails('Error: Connection closed');
const ANSWERED = completes('done');

export const hybrid: Scenario = {
  title: 'Hybrid applications',
  rows: [
    globals('global enhancers of a hybrid application do not run', ofApp, false),
    globals('global enhancers with `inheritAppConfig: true`', { ...ofApp, options: INHERITED }, true),
    globals('APP_GUARD and the like in a hybrid application do not run', ofProviders, false),
    globals(
      'APP_GUARD and the like with `inheritAppConfig: true`',
      { ...ofProviders, options: INHERITED },
      true,
    ),
    globals(
      'global enhancers of a connected microservice that is initialized already do not run',
      ofMicroservice,
      false,
    ),
    globals(
      'global enhancers with `deferInitialization: true`',
      { ...ofMicroservice, options: { deferInitialization: true } },
      true,
    ),
    equal(
      'lifecycle hooks of `startAllMicroservices()`, `listen()` and `close()`',
      async (kit) => {
        const app = await assemble(kit, { controllers: [Works] });
        const statuses: unknown[] = [];
        app.microservices[0]!.status.subscribe((status) => statuses.push(status));
        const steps: unknown[] = [];
        const look = (): unknown =>
          steps.push([statuses.splice(0), app.journal.notes.splice(0), listens(app)]);
        look();
        await app.app.startAllMicroservices();
        look();
        await app.app.listen(0);
        look();
        await app.app.close();
        await until(() => statuses.length === 1, 'the microservice closed');
        look();
        return steps;
      },
      [
        [[], [], false],
        [['connected'], [], false],
        [[], ['init', 'bootstrap'], true],
        [['disconnected'], ['destroy', 'shutdown'], false],
      ],
    ),
    equal(
      '`getMicroservices()` and `getTransportServer()`',
      started({}, async ({ app, microservices, servers }) => [
        app.getMicroservices().length,
        app.getMicroservices()[0] === microservices[0],
        microservices[0]!.getTransportServer() === servers[0],
      ]),
      [1, true, true],
    ),
    equal(
      'messages and events of a hybrid application',
      started({}, async ({ journal }, client) => {
        journal.notes.length = 0;
        await lastValueFrom(client.emit('told', 1));
        const answer = await lastValueFrom(client.send<unknown>('ping', 1));
        return [answer, [...(await journal.whenNoted(1))]];
      }),
      ['pong', [1]],
    ),
    equal(
      'a microservice of a hybrid application that is closed alone',
      started({}, async (app, client) => {
        const statuses: unknown[] = [];
        client.status.subscribe((status) => statuses.push(status));
        await client.connect();
        await app.microservices[0]!.close();
        await until(() => statuses.length === 2, 'its client lost the connection');
        return [listens(app), statuses, [...app.journal.notes]];
      }),
      [true, ['connected', 'disconnected'], ['init', 'bootstrap', 'destroy', 'shutdown']],
    ),
    exception(
      'a hybrid application that closes with a message in flight',
      closedDuring(({ app }) => app.close()),
      {
        tcp: { says: 'fails it at once', sees: [CUT, ['destroy', 'shutdown', 'ends']] },
        uds: { says: 'waits for its answer', sees: [ANSWERED, ['destroy', 'ends', 'shutdown']] },
        because: 'A server that is replaced fails no call.',
      },
    ),
    exception(
      'a microservice of a hybrid application that closes with a message in flight',
      closedDuring(({ microservices }) => microservices[0]!.close()),
      {
        tcp: { says: 'fails it at once', sees: [CUT, ['destroy', 'shutdown', 'ends']] },
        uds: { says: 'waits for its answer', sees: [ANSWERED, ['ends', 'destroy', 'shutdown']] },
        because: 'A server that is replaced fails no call.',
      },
    ),
  ],
};
