import { type INestMicroservice, Injectable, Module, type ModuleMetadata, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { afterThisTest } from '../../support/cleanup.js';
import { RecordedLog } from '../../support/log.js';
import { until } from '../../support/wait.js';
import type { Client, ClientOptions, Kit, ServerOptions, Strategy } from './kit.js';
import type { See } from './row.js';

/** What handlers note of what they see; injected wherever it is asked for. */
@Injectable()
export class Journal {
  readonly notes: unknown[] = [];

  note(entry: unknown): void {
    this.notes.push(entry);
  }

  /** All notes, once there are so many. */
  async whenNoted(count: number): Promise<unknown[]> {
    await until(() => this.notes.length >= count, `${count} notes were taken`);
    return this.notes;
  }
}

/** An application, the same for either transport. */
export interface Application {
  readonly controllers?: Type[];
  readonly providers?: ModuleMetadata['providers'];
  readonly imports?: ModuleMetadata['imports'];
  /** Before it listens: global guards, hooks. */
  readonly prepare?: (app: INestMicroservice, server: Strategy, journal: Journal) => void;
  readonly serverOptions?: ServerOptions;
  readonly clientOptions?: ClientOptions;
}

/** The application, served by one transport, with a client that has connected. */
export interface World {
  readonly kit: Kit;
  readonly app: INestMicroservice;
  readonly server: Strategy;
  readonly client: Client;
  readonly journal: Journal;
  readonly log: RecordedLog;
}

@Module({})
class Root {}

/** Serves an application over a transport, and closes it after the run. */
export async function boot(kit: Kit, application: Application): Promise<World> {
  const { controllers = [], providers = [], imports = [], prepare } = application;
  const journal = new Journal();
  const log = new RecordedLog();
  const server = kit.server(application.serverOptions);
  const app = await NestFactory.createMicroservice(
    {
      module: Root,
      global: true,
      imports,
      controllers,
      providers: [{ provide: Journal, useValue: journal }, ...providers],
      exports: [Journal],
    },
    { strategy: server, logger: log, abortOnError: false },
  );
  prepare?.(app, server, journal);
  afterThisTest(() => app.close());
  await app.listen();
  const client = kit.client(server, application.clientOptions);
  await client.connect();
  return { kit, app, server, client, journal, log };
}

/** For a row: what is seen of an application that is served. */
export function served(application: Application, see: (world: World) => Promise<unknown>): See {
  return async (kit) => await see(await boot(kit, application));
}
