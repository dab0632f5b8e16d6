import { Buffer } from 'node:buffer';
import { setTimeout as delay } from 'node:timers/promises';
import { Client, type Question } from './client.js';
import { ExitCode } from './exit-code.js';
import { complain, exitSoon, jsonLine, oneLine, print, reasonOf } from './terminal.js';
import { TimeLimit } from './time-limits.js';
import { Times } from './times.js';

export interface PingOptions {
  /** Infinity until Ctrl-C. */
  readonly count: number;
  readonly intervalSeconds: number;
  readonly sizeBytes: number;
  /** Undefined where the command line does not say. */
  readonly timeoutMs?: number;
  readonly json?: true;
}

/** Sends bytes to the echo handler of a server, one echo after the other, and says how long each took. */
export async function ping(path: string, options: PingOptions): Promise<number> {
  const stop = new AbortController();
  // Not once: npm hands a Ctrl-C on, so that it comes twice.
  process.on('SIGINT', () => {
    stop.abort();
    exitSoon(ExitCode.INTERRUPTED);
  });
  const run = new PingRun(path, options);
  try {
    // Nobody has been sent anything: there is nothing to sum up.
    if ((await until(stop.signal, run.connect())) === STOPPED) return ExitCode.INTERRUPTED;
  } catch (error) {
    complain(reasonOf(error));
    return ExitCode.FAILED;
  }
  for (let sequence = 1; sequence <= options.count && !stop.signal.aborted; sequence += 1) {
    await run.echo(sequence, stop.signal);
    if (sequence < options.count) await pause(options.intervalSeconds, stop.signal);
  }
  const code = await run.end();
  // A process that ends by itself gives the second one back to the system too early.
  if (stop.signal.aborted) process.stdout.write('', () => process.exit(code));
  return code;
}

/** The next echo is due, or nobody waits for it any more. */
async function pause(seconds: number, signal: AbortSignal): Promise<void> {
  await delay(seconds * 1000, undefined, { signal }).catch(() => undefined);
}

class PingRun {
  readonly #times = new Times();
  readonly #startedAtMs = performance.now();
  #client: Client | undefined;
  #sent = 0;

  constructor(
    private readonly path: string,
    private readonly options: PingOptions,
  ) {}

  /** Connects where no connection stands. @throws UdsError */
  async connect(): Promise<Client> {
    if (this.#client === undefined || this.#client.isOver)
      this.#client = await Client.connect(this.path, this.options.timeoutMs);
    return this.#client;
  }

  async echo(sequence: number, stop: AbortSignal): Promise<void> {
    this.#sent += 1;
    const { sizeBytes, timeoutMs = TimeLimit.ECHO } = this.options;
    const payload = Buffer.alloc(sizeBytes, `echo ${sequence} `);
    try {
      const echo = await until(stop, this.#timed({ pattern: 'echo', payload, timeoutMs }));
      if (echo === STOPPED) {
        this.#sent -= 1;
        return;
      }
      const { answer, ns } = echo;
      if (!Buffer.isBuffer(answer) || !answer.equals(payload)) throw new WrongEcho();
      this.#times.add(ns);
      await this.#tellEcho(sequence, ns / 1e6);
    } catch (error) {
      await this.#tellLost(sequence, error instanceof WrongEcho ? WRONG : reasonOf(error));
    }
  }

  /** An answer, and how long it took over a connection that stood. */
  async #timed(question: Question): Promise<{ readonly answer: unknown; readonly ns: number }> {
    const client = await this.connect();
    const startedAt = process.hrtime.bigint();
    const answer = await client.ask(question);
    return { answer, ns: Number(process.hrtime.bigint() - startedAt) };
  }

  /** Says the summary; gives the exit code. */
  async end(): Promise<number> {
    this.#client?.close();
    const lost = this.#sent - this.#times.count;
    const { json } = this.options;
    await print(json === true ? `${jsonLine(this.#summary())}\n` : this.#summaryLines());
    return lost === 0 ? ExitCode.OK : ExitCode.FAILED;
  }

  async #tellEcho(seq: number, timeMs: number): Promise<void> {
    const { json, sizeBytes: bytes } = this.options;
    const { name = '', pid = 0 } = this.#client?.server ?? {};
    const who = oneLine(`${this.path} (${name === '' ? '' : `${name}, `}pid ${pid})`);
    await print(
      json === true
        ? `${jsonLine({ seq, bytes, timeMs })}\n`
        : `${bytes} bytes from ${who}: seq=${seq} time=${timeMs.toFixed(3)} ms\n`,
    );
  }

  async #tellLost(seq: number, reason: string): Promise<void> {
    await print(
      this.options.json === true ? `${jsonLine({ seq, lost: reason })}\n` : `lost: seq=${seq} ${reason}\n`,
    );
  }

  #summary(): object {
    const times = this.#times;
    const ms = (ns: number): number | null => (times.count === 0 ? null : ns / 1e6);
    return {
      path: this.path,
      sent: this.#sent,
      received: times.count,
      lost: this.#sent - times.count,
      minMs: ms(times.min),
      avgMs: ms(times.mean),
      p50Ms: ms(times.percentile(50)),
      p99Ms: ms(times.percentile(99)),
      maxMs: ms(times.max),
    };
  }

  #summaryLines(): string {
    const times = this.#times;
    const lost = this.#sent - times.count;
    const tookMs = Math.round(performance.now() - this.#startedAtMs);
    const lines = [
      `--- ${oneLine(this.path)}`,
      `${this.#sent} echoes sent, ${times.count} received, ${percentOf(lost, this.#sent)}% lost, ${tookMs} ms`,
    ];
    if (times.count > 0) {
      const figures = [times.min, times.mean, times.percentile(50), times.percentile(99), times.max];
      const shown = figures.map((ns) => (ns / 1e6).toFixed(3)).join('/');
      lines.push(`min/avg/p50/p99/max = ${shown} ms`);
    }
    return `${lines.join('\n')}\n`;
  }
}

const WRONG = 'What came back is not what was sent: the handler of the pattern echo is no echo.';

class WrongEcho extends Error {}

const STOPPED = Symbol('stopped');

/** What a promise gives, unless Ctrl-C comes first. */
async function until<T>(signal: AbortSignal, promise: Promise<T>): Promise<T | typeof STOPPED> {
  let stop: () => void = () => undefined;
  const stopped = new Promise<typeof STOPPED>((resolve) => {
    stop = () => resolve(STOPPED);
  });
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop);
  try {
    return await Promise.race([promise, stopped]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** Cut off after two places, so that one that came is never rounded away; and one that was lost is at least something. */
function percentOf(lost: number, sent: number): number {
  if (lost === 0) return 0;
  return Math.max(0.01, Math.floor((lost / sent) * 10_000) / 100);
}
