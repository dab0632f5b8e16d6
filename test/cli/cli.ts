import { join, resolve } from 'node:path';
import { expect } from '@jest/globals';
import { Child, startNode } from '../support/child.js';
import { tempFolder } from '../support/temp.js';

/** The program as it is published: one file that the build makes. */
export const CLI = resolve('dist/cli/main.cjs');
const SIDECAR = resolve('dist/main.js');
const READY = /Echo is served on (\S+) \(pid (\d+)\)/;

/** Runs `nest-uds` with these arguments. */
export const startCli = (...args: readonly string[]): Child => startNode([CLI, ...args]);

/** The same with a standard input. */
export const startCliWithInput = (...args: readonly string[]): Child =>
  startNode([CLI, ...args], { hasInput: true });

/** What drives a terminal, or begins a line. */
// eslint-disable-next-line no-control-regex -- they are what is meant
export const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;

export interface Outcome {
  readonly code: number | string | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs it to its end. */
export async function runCli(...args: readonly string[]): Promise<Outcome> {
  return await outcomeOf(startCli(...args));
}

export async function outcomeOf(child: Child): Promise<Outcome> {
  const code = await child.exit();
  return { code, stdout: child.stdout, stderr: child.stderr };
}

/** What must stand in the line of each code: what whoever sits at the command line can do. */
const NEXT_STEPS: Readonly<Record<string, RegExp>> = {
  SERVER_NOT_FOUND: /Start the server there, or correct the path\./,
  CONNECTION_REFUSED: /Start the server there, or correct the path\./,
  NOT_A_SOCKET: /correct the path\./,
  CONNECT_FAILED: /correct the path\./,
  PATH_TOO_LONG: /Choose a shorter one\./,
  HELLO_TIMEOUT: /Wait longer with --timeout-ms, restart the server, or correct the path\./,
  HELLO_LOST: /Try again; the log of the server says more\./,
  BAD_HELLO: /correct the path\./,
  BAD_FRAME: /correct the path, or choose another dialect \(send --dialect\)\./,
  UNKNOWN_DIALECT:
    /Choose another one \(send --dialect .*\), or an endpoint .*: ping and health need one with binary\./,
  DEADLINE_EXCEEDED: /Wait longer with --timeout-ms; 0 waits for ever\./,
  CONNECTION_LOST: /see the log of the server before you send it again\./,
  NO_HANDLER: /Correct the pattern, or add a handler to the server\./,
  PAYLOAD_TOO_LARGE: /Send less, or raise the option maxFrameBytes of the server\./,
  FRAME_TOO_LARGE: /Send less, or raise the option maxFrameBytes of the server\./,
  BAD_PAYLOAD: /Correct the payload, or what the handler answers\./,
  BAD_METADATA: /Correct --metadata\./,
  UNKNOWN_REMOTE_ERROR: /update the command line\./,
};
/** What a program sets and the command line can't. */
const OPTIONS_OF_A_CLIENT = /connectTimeoutMs|requestTimeoutMs|helloTimeoutMs|option path/;

/** The line says what to do, and names no option that is not there. */
function expectNextStep(line: string): void {
  expect(line).not.toMatch(OPTIONS_OF_A_CLIENT);
  const code = /^nest-uds: ([A-Z_]+): /.exec(line)?.[1];
  if (code === undefined) return;
  expect(Object.keys(NEXT_STEPS)).toContain(code);
  expect(line).toMatch(NEXT_STEPS[code]!);
}

/** The command failed: one line that matches and says what to do on the standard error output, and not a byte on the other. */
export function expectOneLine(outcome: Outcome, code: number, line: RegExp): void {
  expect(outcome).toMatchObject({ code, stdout: '' });
  expect(outcome.stderr).toMatch(/^nest-uds: [^\n]+\n$/);
  expect(outcome.stderr.slice(0, -1)).not.toMatch(CONTROL);
  expect(outcome.stderr).toMatch(line);
  expectNextStep(outcome.stderr);
}

/** The lines of a text, each of which has its end. */
export function linesOf(text: string): string[] {
  expect(text === '' || text.endsWith('\n')).toBe(true);
  return text.split('\n').slice(0, -1);
}

export const jsonLinesOf = (text: string): Readonly<Record<string, unknown>>[] =>
  linesOf(text).map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);

/** A real sidecar in a process of its own. */
export interface Sidecar {
  readonly process: Child;
  readonly path: string;
  readonly rawPath: string;
}

/** @param path where an earlier one was, to take its place. */
export async function startSidecar(path?: string): Promise<Sidecar> {
  // One that is killed leaves its files behind.
  const folder = path === undefined ? tempFolder({ mayLeave: /^(echo|raw)\.sock/ }) : resolve(path, '..');
  const [own, rawPath] = [join(folder, 'echo.sock'), join(folder, 'raw.sock')];
  const process = startNode([SIDECAR], { cwd: folder, env: { UDS_PATH: own, UDS_RAW_PATH: rawPath } });
  await process.says(READY);
  await process.says(/Plain bytes are echoed/);
  return { process, path: own, rawPath };
}
