import { fileURLToPath } from 'node:url';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EchoClientModule } from '../echo/echo-client.module.js';
import { EchoClient } from '../echo/echo.client.js';
import type { UdsClientOptions } from '../transport/uds.options.js';
import { echoMany, echoOnce, reasonOf } from './echo-run.js';
import { SidecarProcess } from './sidecar-process.js';

const MESSAGE = 'This is the message, This will be echoed back';
const COUNT = 10_000;
const IN_FLIGHT = 64;

/** How long the sidecar may take until it answers; a server that is there already answers at once. */
const START_LIMIT_MS = 20_000;
const CONNECT_LIMIT_MS = 2_000;
const CLOSE_LIMIT_MS = 2_000;

const SIDECAR_ENTRY = fileURLToPath(new URL('../main.js', import.meta.url));

export interface DemoOptions {
  /** The socket of an echo server that is there already. Left out: the demo starts the sidecar, and stops it. */
  readonly path?: string | undefined;
  /** The program of the sidecar. */
  readonly sidecarEntry?: string;
  /** Ends the demo early, with its reason. */
  readonly stop: AbortSignal;
  /** Takes one line of text. */
  readonly print: (line: string) => void;
}

/** What a service of an application looks like that uses the echo: it has the client injected. */
@Injectable()
class Greeter {
  constructor(readonly echo: EchoClient) {}
}

@Module({ providers: [Greeter] })
class DemoModule {}

/**
 * Starts the sidecar, boots a second Nest application that injects EchoClient, echoes, and stops both.
 *
 * @returns the exit code: 0 where every echo came back as it was sent; else 1, and the reason is printed.
 */
export async function runDemo(options: DemoOptions): Promise<number> {
  const { path, print } = options;
  print('');
  try {
    if (path === undefined) {
      await runWithSidecar(options);
    } else {
      print(`  Server    the one on ${path}`);
      await runWith({ path, connectTimeoutMs: CONNECT_LIMIT_MS }, options.stop, print);
    }
    print('\n  All came back as they were sent, and what was started is stopped.\n');
    return 0;
  } catch (error) {
    print(`\n  The demo failed. ${reasonOf(error)}\n`);
    return 1;
  }
}

async function runWithSidecar({ sidecarEntry = SIDECAR_ENTRY, stop, print }: DemoOptions): Promise<void> {
  const sidecar = new SidecarProcess(sidecarEntry);
  try {
    print(`  Sidecar   process ${sidecar.pid}, on ${sidecar.path}`);
    const halt = AbortSignal.any([stop, sidecar.ended]);
    await runWith({ path: sidecar.path, connectTimeoutMs: START_LIMIT_MS }, halt, print);
  } finally {
    await sidecar.stop();
  }
  if (!sidecar.hasEndedWell) throw sidecar.ended.reason as Error;
}

/** The second application: it boots, echoes through its injected client, and closes. */
async function runWith(
  client: UdsClientOptions,
  halt: AbortSignal,
  print: DemoOptions['print'],
): Promise<void> {
  const options = { ...client, name: 'demo', closeTimeoutMs: CLOSE_LIMIT_MS };
  const app = await NestFactory.createApplicationContext(
    { module: DemoModule, imports: [EchoClientModule.forRoot({ ...options, isGlobal: true })] },
    { logger: ['error', 'warn'], abortOnError: false },
  );
  try {
    print(`  Client    process ${process.pid}, a Nest application that injects EchoClient`);
    const { echo } = app.get(Greeter);
    await Promise.race([echoAll(echo, halt, print), halted(halt)]);
  } finally {
    await app.close();
  }
}

async function echoAll(echo: EchoClient, halt: AbortSignal, print: DemoOptions['print']): Promise<void> {
  await echo.connect();
  print(`\n  Sent      ${MESSAGE}`);
  const first = await echoOnce(echo, MESSAGE);
  print(`  Echoed    ${first.echo}   (${duration(first.tookMs)})`);
  print(`\n  Sent      ${whole(COUNT)} more, ${IN_FLIGHT} in flight`);
  const run = await echoMany(echo, { text: MESSAGE, count: COUNT, inFlight: IN_FLIGHT, stop: halt });
  print(`  Echoed    ${whole(run.count)}, ${whole(run.perSecond)} a second`);
  print(`  Times     p50 ${duration(run.p50Ms)}, p99 ${duration(run.p99Ms)}`);
}

/** Rejects with the signal's reason when it aborts. */
function halted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const halt = (): void => reject(signal.reason as Error);
    if (signal.aborted) halt();
    else signal.addEventListener('abort', halt, { once: true });
  });
}

const whole = (number: number): string => Math.round(number).toLocaleString('en');

const duration = (ms: number): string => (ms < 1 ? `${Math.round(ms * 1000)} us` : `${ms.toFixed(1)} ms`);
