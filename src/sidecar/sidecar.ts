import { mkdir } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { isatty } from 'node:tty';
import { types } from 'node:util';
import { ConsoleLogger, type DynamicModule, Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { errorOf, UdsError } from '../protocol/errors.js';
import { UdsServer } from '../transport/uds.server.js';
import { shutDownOnSignals, type SignalledProcess } from '../transport/uds.shutdown.js';
import {
  loadSidecarConfig,
  type LogFormat,
  type SidecarConfig,
  SidecarConfigError,
} from './sidecar.config.js';
import { SidecarModule } from './sidecar.module.js';
import { DEFAULT_PATH } from './sidecar.variables.js';

/**
 * Serves the echo as the environment says, until a signal ends it. What stops the start is told on the standard error
 * output, a line each, and the process exits with 1.
 */
export async function runSidecar(host: SignalledProcess = process): Promise<void> {
  let format: LogFormat = 'text';
  try {
    const { config, module } = await loadSidecarConfig();
    format = config.log.format;
    await start(config, module, host);
  } catch (error) {
    if (error instanceof SidecarConfigError) format = error.format;
    for (const line of linesOf(error)) tell(line, format);
    host.exit(1);
  }
}

/** Resolves when it serves. */
async function start(config: SidecarConfig, module: DynamicModule, host: SignalledProcess): Promise<void> {
  const { path, rawPath } = config;
  if (path === DEFAULT_PATH) await makeFolder(dirname(path));
  const server = new UdsServer(config.server);
  const app = await NestFactory.createMicroservice(SidecarModule.with(module), {
    strategy: server,
    logger: loggerOf(config.log),
    abortOnError: false,
  });
  const starting = app.listen();
  shutDownOnSignals({ servers: [server], app, starting, process: host });
  await starting;
  // Whole, since who reads it may stand in another folder.
  const shown = resolve(path);
  const logger = new Logger('Sidecar');
  logger.log(`Echo is served on ${shown} (pid ${process.pid}). Try it: npm run -s demo -- ${quote(shown)}`);
  if (rawPath !== undefined) logger.log(`Plain bytes are echoed on ${resolve(rawPath)}.`);
}

/** The folder of the default path alone: who names a path has a folder in mind that is there, with its permissions. */
async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { mode: 0o700 });
  } catch (error) {
    const errno = (error as NodeJS.ErrnoException).code ?? String(error);
    // What is there already is for the transport to judge.
    if (errno === 'EEXIST') return;
    throw errorOf(
      'LISTEN_FAILED',
      `The folder ${folder} can not be made: the system says ${errno}. Make it, or choose another path (UDS_PATH).`,
      error,
    );
  }
}

function loggerOf({ levels, format }: SidecarConfig['log']): ConsoleLogger {
  // Nest colours what goes to files and pipes too; hasColors heeds NO_COLOR.
  const colors = format === 'text' && isatty(1) && process.stdout.hasColors();
  return new ConsoleLogger({ logLevels: levels, json: format === 'json', colors });
}

function tell(line: string, format: LogFormat): void {
  if (format === 'json') loggerOf({ levels: ['fatal'], format }).fatal(line, 'Sidecar');
  else process.stderr.write(`${line}\n`);
}

/** An error that we foresaw is one sentence; of any other everything is worth knowing. */
function linesOf(error: unknown): readonly string[] {
  if (error instanceof SidecarConfigError) return error.lines;
  if (error instanceof UdsError) return [`${error.code}: ${error.message}`];
  return [types.isNativeError(error) ? (error.stack ?? error.message) : String(error)];
}

/** As a shell takes it. */
function quote(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", String.raw`'\''`)}'`;
}
