import { readFileSync } from 'node:fs';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import type { ClientDialect } from './client.js';
import type { HealthOptions } from './health.js';
import type { SendOptions } from './send.js';
import { CommandLineError, ExitCode } from './exit-code.js';
import { complain, endWithOurReader, oneLine } from './terminal.js';
import { TimeLimit } from './time-limits.js';

const MAX_TIMEOUT_MS = 0x7fffffff;
const DIALECTS: readonly ClientDialect[] = ['binary', 'ndjson', 'raw'];

/**
 * Runs one command; gives the exit code. Each command's file is loaded when it is wanted, so that the others cost nothing.
 *
 * @param args what stands behind the program's name.
 */
export async function runCommand(args: readonly string[]): Promise<number> {
  endWithOurReader();
  const exit = { code: ExitCode.OK as number };
  try {
    await programOf(exit).parseAsync([...args], { from: 'user' });
    return exit.code;
  } catch (error) {
    // Commander has said it by then, and shows help and the version in this way too.
    if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.OK : ExitCode.USAGE;
    if (error instanceof CommandLineError) complain(oneLine(error.message));
    else throw error;
    return ExitCode.USAGE;
  }
}

function programOf(exit: { code: number }): Command {
  const program = new Command('nest-uds')
    .description('Talks to a nest-uds server over its socket file.')
    .version(versionOf())
    .exitOverride()
    .configureOutput({
      outputError: (text) =>
        complain(
          `${oneLine(
            text
              .replace(/^error: /, '')
              .trim()
              .replace(/\s+/g, ' '),
          )} (see nest-uds --help)`,
        ),
    })
    .addHelpText(
      'after',
      '\nExit codes: 0 all is well; 1 the call failed or the server was not reached; 2 the command line is wrong; 130 Ctrl-C: during send or health, and before ping has reached the server (later, ping sums up and exits with 0 or 1).',
    );
  addPing(program, exit);
  addSend(program, exit);
  addHealth(program, exit);
  return program;
}

function addPing(program: Command, exit: { code: number }): void {
  program
    .command('ping')
    .description(
      'send echoes to the handler of the pattern echo, one after the other, and say how long each took',
    )
    .argument('<path>', 'the socket file')
    .option('-c, --count <n>', 'how many; without it until Ctrl-C', wholeNumber(1, 1e9))
    .option('-i, --interval <seconds>', 'between two echoes', seconds, 1)
    .option('-s, --size <bytes>', 'of each echo', wholeNumber(0, 256 * 1024 ** 2), 56)
    .addOption(timeoutOption(TimeLimit.ECHO))
    .option('--json', 'a JSON object a line, the summary last')
    .action(
      async (
        path: string,
        given: { count?: number; interval: number; size: number; timeoutMs?: number; json?: true },
      ) => {
        const { ping } = await import('./ping.js');
        const { count = Infinity, interval, size, ...rest } = given;
        exit.code = await ping(path, { count, intervalSeconds: interval, sizeBytes: size, ...rest });
      },
    );
}

function addSend(program: Command, exit: { code: number }): void {
  program
    .command('send')
    .description('send one request and print its answers, a line each; bytes as they are')
    .argument('<path>', 'the socket file')
    .argument('[pattern]', 'the pattern; raw bytes have none')
    .argument(
      '[data]',
      'the payload as JSON, or - to read it from the standard input; with --dialect raw plain text',
    )
    .option('--bytes <file>', 'send the bytes of a file; - is the standard input')
    .option(
      '--event',
      'send an event: nobody answers, not even whether a handler has it; fails where the server does not take it',
    )
    .option('--metadata <key=value>', 'travels beside the payload; may be repeated', addMetadata)
    .addOption(timeoutOption(TimeLimit.SEND))
    .addOption(new Option('--dialect <name>', 'what is spoken').choices(DIALECTS).default('binary'))
    .action(
      async (path: string, pattern: string | undefined, data: string | undefined, given: SendOptions) => {
        const { send } = await import('./send.js');
        exit.code = await send(path, pattern, data, given);
      },
    );
}

function addHealth(program: Command, exit: { code: number }): void {
  program
    .command('health')
    .description('say whether a server answers, and its figures; exits with 1 where it does not')
    .argument('<path>', 'the socket file')
    .addOption(timeoutOption(TimeLimit.HEALTH))
    .option('--json', 'one JSON object')
    .action(async (path: string, given: HealthOptions) => {
      const { health } = await import('./health.js');
      exit.code = await health(path, given);
    });
}

function timeoutOption(defaultMs: number): Option {
  // No default of Commander's: connecting has one of its own, which holds only where the option is not given.
  return new Option(
    '--timeout-ms <ms>',
    `how long to wait for the connection, and as long again for the first answer (default: ${TimeLimit.CONNECT} and ${defaultMs}); 0 waits for ever, but ${TimeLimit.CONNECT} for the connection`,
  ).argParser(wholeNumber(0, MAX_TIMEOUT_MS));
}

function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
  };
}

function seconds(text: string): number {
  const value = Number(text);
  if (/^\d*\.?\d+$/.test(text) && value <= 86_400) return value;
  throw new InvalidArgumentError('It must be a number of seconds from 0 to 86400.');
}

function addMetadata(text: string, before: Record<string, string> | undefined): Record<string, string> {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('It must be KEY=VALUE.');
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}

/** Two folders up is the package, from src as from dist. */
function versionOf(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}
