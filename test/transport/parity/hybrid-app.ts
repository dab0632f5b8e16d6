import {
  type INestApplication,
  type INestMicroservice,
  Module,
  type ModuleMetadata,
  type NestHybridApplicationOptions,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { afterThisTest } from '../../support/cleanup.js';
import { BareHttpAdapter } from '../../support/http-adapter.js';
import { RecordedLog } from '../../support/log.js';
import type { Client, Kit, Strategy } from './kit.js';
import { Journal } from './world.js';

export interface HybridApplication extends ModuleMetadata {
  /** Before its microservices are connected: global guards, pipes. */
  readonly prepare?: (app: INestApplication, journal: Journal) => void;
  readonly options?: NestHybridApplicationOptions;
  /** Of its microservices, before they listen. */
  readonly connected?: (microservices: readonly INestMicroservice[], journal: Journal) => void;
  readonly servers?: (kit: Kit) => readonly Strategy[];
}

/** An application that serves HTTP and microservices. */
export interface Hybrid {
  readonly kit: Kit;
  readonly app: INestApplication;
  readonly servers: readonly Strategy[];
  readonly microservices: readonly INestMicroservice[];
  readonly journal: Journal;
  readonly log: RecordedLog;
}

@Module({})
class Root {}

/** Connects the microservices of an application; nothing listens yet. Closed after the run. */
export async function assemble(kit: Kit, hybrid: HybridApplication): Promise<Hybrid> {
  const { prepare, connected, options = {}, servers: serversOf = () => [kit.server()], ...module } = hybrid;
  const journal = new Journal();
  const log = new RecordedLog();
  const providers = [{ provide: Journal, useValue: journal }, ...(module.providers ?? [])];
  const app = await NestFactory.create(
    { ...module, module: Root, global: true, providers, exports: [Journal] },
    new BareHttpAdapter(),
    { logger: log, abortOnError: false },
  );
  prepare?.(app, journal);
  const servers = serversOf(kit);
  const microservices = servers.map((strategy) => app.connectMicroservice({ strategy }, options));
  connected?.(microservices, journal);
  afterThisTest(() => app.close());
  return { kit, app, servers, microservices, journal, log };
}

/** Listens everywhere; gives a client of each microservice. */
export async function start({ kit, app, servers }: Hybrid): Promise<readonly Client[]> {
  await app.startAllMicroservices();
  await app.listen(0);
  return servers.map((server) => kit.client(server));
}
