import { it, jest } from '@jest/globals';
import { Buffer } from 'node:buffer';
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { afterThisTest } from '../support/cleanup.js';
import { until } from '../support/wait.js';

/** Programs that nobody here wrote: how each is asked what it is, and what it says where it is the one that is meant. */
const PROGRAMS = {
  python3: { args: ['-c', 'import asyncio, sys; print(sys.executable)'], says: /^\// },
  // Other programs are called nc too, and have other options.
  nc: { args: ['-h'], says: /^OpenBSD netcat/ },
  socat: { args: ['-V'], says: /^socat version /m },
} as const;
type ProgramName = keyof typeof PROGRAMS;

const found = new Map<ProgramName, typeof it.skip>();

/** `it` where the program is installed; elsewhere the tests are skipped, and a line says why. */
export function itWith(program: ProgramName): typeof it.skip {
  const known = found.get(program);
  if (known !== undefined) return known;
  const reason = whyMissing(program);
  if (reason !== undefined)
    process.stderr.write(`Skipped are the tests that speak through ${program}: ${reason}.\n`);
  const itOrSkip = reason === undefined ? it : it.skip;
  found.set(program, itOrSkip);
  return itOrSkip;
}

function whyMissing(program: ProgramName): string | undefined {
  const { args, says } = PROGRAMS[program];
  const { error, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  if (error !== undefined) return `the system says ${(error as NodeJS.ErrnoException).code}`;
  return says.test(stdout) || says.test(stderr) ? undefined : 'another program has its name';
}

/** Above what any of them takes, on a machine that is busy with other things too. */
const EXIT_LIMIT_MS = 40_000;
jest.setTimeout(60_000);

/** A real program with both ends of its pipes in the test's hands. Killed after the test. */
export class Program {
  stderr = '';
  #chunks: Buffer[] = [];
  #end: number | string | undefined;
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #closed: Promise<void>;

  constructor(command: string, args: readonly string[]) {
    this.#process = spawn(command, args, { stdio: 'pipe' });
    this.#process.stdout.on('data', (chunk: Buffer) => this.#chunks.push(chunk));
    this.#process.stderr.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
    // It may have gone before it read all of its input.
    this.#process.stdin.on('error', () => undefined);
    this.#closed = new Promise((resolve) => {
      this.#process.on('close', (code, signal) => {
        this.#end = code ?? signal ?? undefined;
        resolve();
      });
    });
    afterThisTest(async () => {
      this.kill('SIGKILL');
      await this.#closed;
    });
  }

  get output(): Buffer {
    const all = Buffer.concat(this.#chunks);
    this.#chunks = [all];
    return all;
  }

  get text(): string {
    return this.output.toString();
  }

  /** Whether it runs. */
  get isAlive(): boolean {
    return this.#end === undefined;
  }

  write(input: string | Uint8Array): this {
    this.#process.stdin.write(input);
    return this;
  }

  /** Says the end of its input, as Ctrl-D does. */
  endInput(): this {
    this.#process.stdin.end();
    return this;
  }

  kill(signal: NodeJS.Signals): this {
    if (this.isAlive) this.#process.kill(signal);
    return this;
  }

  /** Waits until its output is as long as this one. */
  async says(output: string | Uint8Array): Promise<void> {
    const length = Buffer.byteLength(output);
    await until(() => this.output.length >= length || !this.isAlive, `it said ${length} bytes`);
  }

  /** Its exit code, or the name of the signal that ended it. */
  async exit(): Promise<number | string | undefined> {
    const late = setTimeout(() => this.kill('SIGKILL'), EXIT_LIMIT_MS).unref();
    await this.#closed;
    clearTimeout(late);
    return this.#end;
  }
}

let python: string | undefined;

/** A script of this folder. What `python3` starts may be a script itself; here the signals reach the program. */
export function runPython(script: string, ...args: readonly string[]): Program {
  python ??= spawnSync('python3', PROGRAMS.python3.args, { encoding: 'utf8' }).stdout.trim();
  return new Program(python, [join(import.meta.dirname, script), ...args]);
}
