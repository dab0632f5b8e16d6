import { Buffer } from 'node:buffer';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { afterThisTest } from './cleanup.js';

/** Far above what almost any process here takes, on a machine that is busy with other things too. */
const LIMIT_MS = 60_000;

interface ChildOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** A process group of its own, as a terminal gives to what it runs. */
  readonly ownGroup?: boolean;
  /** A standard input that the test writes; without it there is none. */
  readonly hasInput?: boolean;
  /** How long it may live, where that is more than a minute. */
  readonly limitMs?: number;
}

type StartedProcess = ChildProcess & {
  readonly stdin: Writable | null;
  readonly stdout: Readable;
  readonly stderr: Readable;
};

/** A real process, its output kept. Killed after the test, with its group where it has one of its own. */
export class Child {
  stdout = '';
  stderr = '';
  #output: Buffer[] = [];
  readonly #process: StartedProcess;
  readonly #closed: Promise<unknown>;
  #end: number | string | undefined;

  constructor(command: string, args: readonly string[], options: ChildOptions = {}) {
    const { cwd, env = {}, ownGroup = false, hasInput = false, limitMs = LIMIT_MS } = options;
    this.#process = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      detached: ownGroup,
      stdio: [hasInput ? 'pipe' : 'ignore', 'pipe', 'pipe'],
    }) as StartedProcess;
    // It may end before it has read all of its input.
    this.#process.stdin?.on('error', () => undefined);
    const decoder = new StringDecoder('utf8');
    this.#process.stdout.on('data', (chunk: Buffer) => {
      this.#output.push(chunk);
      this.stdout += decoder.write(chunk);
    });
    this.#process.stderr.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
    this.#process.on('close', (code, signal) => (this.#end = code ?? signal ?? undefined));
    this.#closed = once(this.#process, 'close', { signal: AbortSignal.timeout(limitMs) });
    this.#closed.catch(() => undefined);
    afterThisTest(async () => {
      // A group may outlive its first process.
      if (ownGroup) killGroup(this.pid);
      else this.signal('SIGKILL');
      await this.#closed;
    });
  }

  get pid(): number {
    return this.#process.pid!;
  }

  /** The standard output, byte for byte. */
  get output(): Buffer {
    const all = Buffer.concat(this.#output);
    this.#output = [all];
    return all;
  }

  write(input: string | Uint8Array): this {
    this.#process.stdin?.write(input);
    return this;
  }

  /** Says the end of its input, as Ctrl-D does. */
  endInput(): this {
    this.#process.stdin?.end();
    return this;
  }

  signal(signal: NodeJS.Signals, wholeGroup = false): void {
    if (this.#end === undefined) process.kill(wholeGroup ? -this.pid : this.pid, signal);
  }

  /** Reads no more of it, as `| head` does. */
  closeStdout(): void {
    this.#process.stdout.destroy();
  }

  closeStderr(): void {
    this.#process.stderr.destroy();
  }

  /** Reads no more of its standard output for now. */
  pauseStdout(): this {
    this.#process.stdout.pause();
    return this;
  }

  resumeStdout(): this {
    this.#process.stdout.resume();
    return this;
  }

  /** Reads one more piece of the standard output, and then no more for now. */
  async readOnce(): Promise<void> {
    const read = once(this.#process.stdout, 'data');
    this.resumeStdout();
    await Promise.race([read, this.#closed]);
    this.pauseStdout();
  }

  /** Waits until the standard output matches. */
  async says(text: RegExp): Promise<void> {
    while (!text.test(this.stdout)) {
      if (this.#end !== undefined) throw new Error(`It never said ${text}:\n${this.stdout}${this.stderr}`);
      await Promise.race([once(this.#process.stdout, 'data'), this.#closed]);
    }
  }

  /** Its exit code, or the name of the signal that ended it. */
  async exit(): Promise<number | string | undefined> {
    await this.#closed;
    return this.#end;
  }
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Nobody is left.
  }
}

/** A program of dist. */
export function startNode(args: readonly string[], options: ChildOptions = {}): Child {
  return new Child(process.execPath, args, options);
}
