import { ConsoleLogger, Controller, type LoggerService, type LogLevel, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern, MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import { types } from 'node:util';
import { afterThisTest } from '../../../support/cleanup.js';
import { turns, until } from '../../../support/wait.js';
import { freeAddress } from '../address.js';
import type { Client, Kit } from '../kit.js';
import { equal, exception, type Row, type Scenario, type See } from '../row.js';
import { settled, trace } from '../trace.js';

@Controller()
class Answers {
  @MessagePattern('ping')
  ping(): string {
    return 'pong';
  }

  @MessagePattern('breaks')
  breaks(): never {
    throw new Error('broken');
  }

  @MessagePattern('refuses')
  refuses(): never {
    throw new RpcException('no stock');
  }

  @MessagePattern('never')
  async never(): Promise<void> {
    await new Promise(() => undefined);
  }

  @EventPattern('event-breaks')
  eventBreaks(@Payload() _data: unknown): void {
    throw new Error('broken by an event');
  }

  @EventPattern('event-refuses')
  eventRefuses(@Payload() _data: unknown): void {
    throw new RpcException('refused by an event');
  }
}

@Module({ controllers: [Answers] })
class AppModule {}

/** Keeps each line with its level and its context, without what differs from run to run. */
class Lines implements LoggerService {
  readonly lines: string[] = [];

  log = (...line: unknown[]): void => this.#keep('log', line);
  error = (...line: unknown[]): void => this.#keep('error', line);
  warn = (...line: unknown[]): void => this.#keep('warn', line);
  debug = (...line: unknown[]): void => this.#keep('debug', line);

  #keep(level: string, line: unknown[]): void {
    const message = types.isNativeError(line[0]) ? line[0].message : String(line[0]);
    this.lines.push(`${level} [${String(line.at(-1))}] ${message.replace(/ \(client.*|:\d+$/, '')}`);
  }
}

/** Nest's own logger, as far as its lines. */
class Printed extends ConsoleLogger {
  readonly lines: string[] = [];

  protected override printMessages(messages: unknown[], _context?: string, level?: LogLevel): void {
    for (const message of messages) this.lines.push(`${level} ${String(message)}`);
  }
}

const BOOTED = [
  'log [NestFactory] Starting Nest application...',
  'log [InstanceLoader] AppModule dependencies initialized',
  'log [NestMicroservice] Nest microservice successfully started',
];

type Options = NonNullable<Parameters<typeof NestFactory.createMicroservice>[1]>;

/** An application that does not listen yet; closed after the run. */
async function create(kit: Kit, options: Partial<Options>, server = kit.server()) {
  const app = await NestFactory.createMicroservice(AppModule, {
    strategy: server,
    abortOnError: false,
    ...options,
  });
  afterThisTest(() => app.close());
  return { app, server };
}

/** One that listens, and a client that has connected. */
async function listening(kit: Kit, options: Partial<Options>) {
  const { app, server } = await create(kit, options);
  await app.listen();
  const client = kit.client(server);
  await client.connect();
  return { app, client };
}

/** What is said after a server was booted, while something is done. */
const said =
  (run: (client: Client) => Promise<unknown>, count: number): See =>
  async (kit) => {
    const logger = new Lines();
    const { client } = await listening(kit, { logger });
    logger.lines.length = 0;
    await run(client);
    await until(() => logger.lines.length >= count, `${count} lines were written`);
    await turns();
    return [...logger.lines];
  };

/** The same of a message or an event. */
const saidOf = (says: string, run: (client: Client) => Promise<unknown>, ...lines: string[]): Row =>
  equal(says, said(run, lines.length), lines);

const ask = (pattern: string) => (client: Client) => trace(client.send(pattern, 1));
const tell = (pattern: string) => (client: Client) => trace(client.emit(pattern, 1));

/** Buffers until a logger is set; gives what that logger has at each step. */
async function buffered(kit: Kit, autoFlushLogs: boolean): Promise<unknown> {
  const logger = new Lines();
  const { app } = await create(kit, { bufferLogs: true, autoFlushLogs });
  app.useLogger(logger);
  const steps = [logger.lines.splice(0)];
  await app.listen();
  steps.push(logger.lines.splice(0));
  app.flushLogs();
  return [...steps, logger.lines.splice(0)];
}

/** What is written to the standard output meanwhile. */
async function written(run: () => Promise<unknown>): Promise<string[]> {
  const { stdout } = process;
  const write = stdout.write.bind(stdout);
  const texts: string[] = [];
  stdout.write = (text: unknown): boolean => texts.push(String(text)) > 0;
  try {
    await run();
  } finally {
    stdout.write = write;
  }
  return texts;
}

async function leave(client: Client): Promise<void> {
  const answer = trace(client.send('never', 1));
  await trace(client.send('ping', 1));
  client.unwrap<{ destroy(): void }>().destroy();
  await answer;
  // By a new connection, so that the server has seen the end of the first one.
  await trace(client.send('ping', 1));
}

async function listenTwice(kit: Kit): Promise<unknown> {
  const address = await freeAddress(kit);
  await (await create(kit, { logger: false }, address.server())).app.listen();
  const logger = new Lines();
  const { app } = await create(kit, { logger }, address.server());
  const { rejects } = (await settled(app.listen())) as { rejects: string };
  return [rejects.replace(/ 127.*/, ''), logger.lines.slice(2)];
}

const exceptions: readonly Row[] = [
  exception('the log of a server whose client leaves with a message in flight', said(leave, 0), {
    tcp: { says: 'no line', sees: [] },
    uds: {
      says: 'one debug line',
      sees: ['debug [UdsServer] CONNECTION_LOST: The peer closed the connection.'],
    },
    because: 'It explains why a handler was told to stop.',
  }),
  exception('`listen()` where the address is taken, and its log', listenTwice, {
    tcp: {
      says: "fails with the system's error, and logs it too",
      sees: [
        'Error: listen EADDRINUSE: address already in use',
        ['error [Server] listen EADDRINUSE: address already in use 127.0.0.1'],
      ],
    },
    uds: {
      says: 'fails with ADDRESS_IN_USE, and logs nothing',
      sees: ['ConnectionError ADDRESS_IN_USE', []],
    },
    because: 'Our own errors have codes; whoever catches one decides whether to log it.',
  }),
];

export const logging: Scenario = {
  title: 'Logging',
  rows: [
    equal(
      'the log of a server that starts',
      async (kit) => {
        const logger = new Lines();
        await listening(kit, { logger });
        return [...logger.lines];
      },
      BOOTED,
    ),
    equal('`bufferLogs: true`: flushed when it listens', (kit) => buffered(kit, true), [[], BOOTED, []]),
    equal(
      '`bufferLogs: true, autoFlushLogs: false`: flushed by `flushLogs()`',
      (kit) => buffered(kit, false),
      [[], [], BOOTED],
    ),
    equal(
      '`useLogger()` after it listens: later lines go there',
      async (kit) => {
        const loggers = [new Lines(), new Lines()] as const;
        const { app, client } = await listening(kit, { logger: loggers[0] });
        app.useLogger(loggers[1]);
        await ask('breaks')(client);
        return loggers.map(({ lines }) => [...lines]);
      },
      [BOOTED, ['error [RpcExceptionsHandler] broken']],
    ),
    equal(
      "log level `['error']`",
      async (kit) => {
        const logger = new Printed('Nest', { logLevels: ['error'] });
        const { client } = await listening(kit, { logger });
        await ask('breaks')(client);
        return [...logger.lines];
      },
      ['error Error: broken'],
    ),
    equal(
      '`logger: false`',
      (kit) =>
        written(async () => {
          const { client } = await listening(kit, { logger: false });
          await ask('breaks')(client);
        }),
      [],
    ),
    saidOf('the log of a handler that throws an Error', ask('breaks'), 'error [RpcExceptionsHandler] broken'),
    saidOf('the log of a handler that throws an RpcException', ask('refuses')),
    saidOf(
      'the log of an event handler that throws an Error',
      tell('event-breaks'),
      'error [RpcExceptionsHandler] broken by an event',
    ),
    saidOf(
      'the log of an event handler that throws an RpcException',
      tell('event-refuses'),
      'error [RpcExceptionsHandler] refused by an event',
    ),
    saidOf('the log of a server whose client closes', async (client) => {
      await client.close();
    }),
    saidOf('the log of a server whose client loses its connection and connects again', async (client) => {
      client.unwrap<{ destroy(): void }>().destroy();
      await turns();
      await client.connect();
    }),
    ...exceptions,
  ],
};
