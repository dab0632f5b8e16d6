import { type INestMicroservice, Module, type Provider, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { join } from 'node:path';
import {
  UdsClient,
  type UdsClientOptions,
  type UdsEndpoint,
  UdsServer,
  type UdsServerSettings,
} from '../../src/index.js';
import { afterThisTest } from './cleanup.js';
import { RecordedLog } from './log.js';
import { tempFolder } from './temp.js';

/** What hangs at the end of a test is cut after this. */
const CLOSE_TIMEOUT_MS = 500;

@Module({})
class Root {}

interface ServeOptions extends Partial<UdsServerSettings> {
  readonly path?: string;
  /** In place of the path; the first is the one that is given back. */
  readonly endpoints?: readonly UdsEndpoint[];
  readonly providers?: Provider[];
  /** Before it listens: global guards, hooks. */
  readonly prepare?: (app: INestMicroservice, server: UdsServer) => void;
}

/** A real Nest microservice on a socket in a temp folder; closed after the test. */
export interface Served {
  readonly app: INestMicroservice;
  readonly server: UdsServer;
  readonly path: string;
  readonly log: RecordedLog;
}

export async function serve(controllers: Type[], given: ServeOptions = {}): Promise<Served> {
  const { providers = [], prepare, endpoints = [], ...options } = given;
  const path = given.path ?? endpoints[0]?.path ?? socketPath();
  const log = new RecordedLog();
  const server = new UdsServer({
    closeTimeoutMs: CLOSE_TIMEOUT_MS,
    ...options,
    ...(endpoints.length > 0 ? { endpoints, path: undefined } : { path }),
  });
  const app = await NestFactory.createMicroservice(
    { module: Root, controllers, providers },
    { strategy: server, logger: log, abortOnError: false },
  );
  prepare?.(app, server);
  afterThisTest(() => app.close());
  await app.listen();
  return { app, server, path, log };
}

/** A client of a path, closed after the test. */
export function clientOf(path: string, options: Partial<UdsClientOptions> = {}): UdsClient {
  const client = new UdsClient({ path, closeTimeoutMs: CLOSE_TIMEOUT_MS, ...options });
  afterThisTest(() => client.close());
  return client;
}

/** Both at once, for what needs no options. */
export async function serveAndConnect(
  controllers: Type[],
  options: ServeOptions = {},
): Promise<Served & { client: UdsClient }> {
  const served = await serve(controllers, options);
  const client = clientOf(served.path);
  await client.connect();
  return { ...served, client };
}

export const socketPath = (): string => join(tempFolder(), 'app.sock');
