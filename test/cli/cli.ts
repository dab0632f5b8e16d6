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

/** The command failed: one line that matches on the standard error output, and not a byte on the other. */
export function expectOneLine(outcome: Outcome, code: number, line: RegExp): void {
  expect(outcome).toMatchObject({ code, stdout: '' });
  expect(outcome.stderr).toMatch(/^nest-uds: [^\n]+\n$/);
  expect(outcome.stderr.slice(0, -1)).not.toMatch(CONTROL);
  expect(outcome.stderr).toMatch(line);
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
