import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';

/** The sidecar itself waits for 10 s at most. */
const STOP_LIMIT_MS = 15_000;
const MAX_KEPT_CHARACTERS = 2_000;

/** The sidecar as a child process, on a path in a temporary folder of its own. */
export class SidecarProcess {
  readonly path: string;
  readonly #folder: string;
  readonly #child: ChildProcessByStdio<null, Readable, Readable>;
  readonly #ended = new AbortController();
  #output = '';
  /** The last resort, where this process ends without stopping it. */
  readonly #abandon = (): void => {
    this.#child.kill('SIGKILL');
    this.#removeFolder();
  };

  /** @param entry the program: what `npm start` runs. */
  constructor(entry: string) {
    this.#folder = mkdtempSync(join(tmpdir(), 'uds-demo-'));
    this.path = join(this.#folder, 'echo.sock');
    this.#child = spawn(process.execPath, [entry], {
      // A .env file, or variables, that somebody made for a sidecar of theirs are not meant for this one.
      cwd: this.#folder,
      env: { ...foreignVariables(), UDS_PATH: this.path, LOG_LEVEL: 'warn' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    process.once('exit', this.#abandon);
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => this.#keep(text));
    }
    // `close` comes when its output has been read too; without a listener `error` would be thrown.
    this.#child.on('error', (error) => this.#ended.abort(error));
    this.#child.once('close', () => this.#ended.abort(new Error(`The sidecar has ended, ${this.#end()}`)));
  }

  /** Aborts when the process has ended, with the reason. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  get hasEndedWell(): boolean {
    return this.#child.exitCode === 0;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Asks it to shut down in order, kills it where it does not, and takes the folder away. */
  async stop(): Promise<void> {
    if (!this.ended.aborted) {
      const ended = once(this.ended, 'abort');
      const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_LIMIT_MS);
      this.#child.kill('SIGTERM');
      await ended;
      clearTimeout(timer);
    }
    process.off('exit', this.#abandon);
    this.#removeFolder();
  }

  /** How it ended, and what it said. */
  #end(): string {
    const { exitCode, signalCode } = this.#child;
    return `with ${signalCode ?? `code ${exitCode}`}.\n${this.#output}`.trim();
  }

  #keep(text: string): void {
    this.#output = (this.#output + text).slice(-MAX_KEPT_CHARACTERS);
  }

  #removeFolder(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function foreignVariables(): NodeJS.ProcessEnv {
  const entries = Object.entries(process.env);
  return Object.fromEntries(entries.filter(([name]) => !/^(UDS|LOG)_/.test(name)));
}
