import type { Logger } from '@nestjs/common';
import { SafeLogger } from './uds.safe-logger.js';
import { UdsServer } from './uds.server.js';

const SIGNALS = ['SIGTERM', 'SIGINT'] as const;
type Signal = (typeof SIGNALS)[number];

/**
 * Ctrl-C in a terminal reaches every process that runs there, and npm, one of them, hands it on once more: what comes
 * so soon after the first signal is the same wish, and not impatience.
 */
const SAME_WISH_MS = 500;

/** A server or an application. */
export interface Closable {
  close(): unknown;
}

/** What is needed of `process`. */
export interface SignalledProcess {
  on(signal: Signal, listener: () => void): unknown;
  exit(code: number): unknown;
}

export interface ShutdownOptions {
  /** Closed first, all at once, while everything that their calls need is still there. */
  readonly servers: readonly Closable[];
  /** Closed after them: runs Nest's hooks. */
  readonly app: Closable;
  /** A start under way: a signal waits for its end, so that nothing is opened after it was closed. */
  readonly starting?: Promise<unknown>;
  readonly process?: SignalledProcess;
}

/**
 * Ends a Nest application in order on SIGTERM and SIGINT, and once another process has taken the place of one of its
 * `UdsServer`s: its servers first, then the application; then exits with 0, or with 1 where something failed to close. A
 * second signal exits with 1 at once.
 *
 * Takes the place of Nest's `enableShutdownHooks`, which runs the modules' `onModuleDestroy` while calls are still
 * being answered, and ends the process by the signal. Of a hybrid application give the servers, and the application as
 * `app`.
 *
 * @example
 * const server = new UdsServer({ path: '/run/app/app.sock' });
 * const app = await NestFactory.createMicroservice(AppModule, { strategy: server });
 * shutDownOnSignals({ servers: [server], app });
 * await app.listen();
 */
export function shutDownOnSignals(options: ShutdownOptions): void {
  const { process: host = process, servers } = options;
  const logger = new SafeLogger('Shutdown');
  let beganAtMs: number | undefined;
  const begin = (why: string): void => {
    beganAtMs = performance.now();
    logger.log(`${why}: finishing what runs. A second signal exits at once.`);
    void shutDown(options, logger).then((code) => {
      if (code !== undefined) host.exit(code);
    });
  };
  const onSignal = (signal: Signal): void => {
    if (beganAtMs === undefined) {
      begin(signal);
    } else if (performance.now() - beganAtMs > SAME_WISH_MS) {
      logger.warn(`${signal}, the second signal: exiting at once.`);
      host.exit(1);
    }
  };
  for (const signal of SIGNALS) host.on(signal, () => onSignal(signal));
  for (const server of servers) {
    if (server instanceof UdsServer) {
      server.on('takeover', () => {
        if (beganAtMs === undefined) begin('Taken over');
      });
    }
  }
}

/** Gives the exit code; none where the start failed, since whoever started knows why and says so. */
async function shutDown(
  { servers, app, starting }: ShutdownOptions,
  logger: Logger,
): Promise<number | undefined> {
  const isStarted = await (starting ?? Promise.resolve()).then(
    () => true,
    () => false,
  );
  if (!isStarted) return undefined;
  const results = await Promise.allSettled(servers.map(async (server) => await server.close()));
  results.push(...(await Promise.allSettled([app].map(async (last) => await last.close()))));
  const failures = results.filter((result) => result.status === 'rejected');
  for (const { reason } of failures) logger.error(reason);
  if (failures.length > 0) return 1;
  logger.log('Everything is closed.');
  return 0;
}
