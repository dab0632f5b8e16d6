import { Buffer } from 'node:buffer';
import { readFile } from 'node:fs/promises';
import type { Caller, OutgoingCall } from '../protocol/call.js';
import { errorOf } from '../protocol/errors.js';
import type { Metadata } from '../protocol/payload-codec.js';
import { Client, type ClientDialect, type Question } from './client.js';
import { CommandLineError, ExitCode } from './exit-code.js';
import { complain, exitSoon, jsonLine, print, reasonOf } from './terminal.js';
import { TimeLimit } from './time-limits.js';

export interface SendOptions {
  /** A file whose bytes are the payload; `-` is the standard input. */
  readonly bytes?: string;
  readonly event?: true;
  readonly metadata?: Metadata;
  /** Undefined where the command line does not say. */
  readonly timeoutMs?: number;
  readonly dialect: ClientDialect;
}

/** The longest input that is read. */
const MAX_INPUT_BYTES = 256 * 1024 ** 2;

/** Sends one request, or one event, and prints its answers as they come. */
export async function send(
  path: string,
  pattern: string | undefined,
  data: string | undefined,
  options: SendOptions,
): Promise<number> {
  const question = await questionOf(pattern, data, options);
  try {
    const client = await Client.connect(path, options.timeoutMs, options.dialect);
    const code =
      options.event === true
        ? await tell(client, question)
        : await new Sending(client, options.dialect).run(question);
    client.leave();
    await client.closed;
    return code;
  } catch (error) {
    complain(reasonOf(error));
    return ExitCode.FAILED;
  }
}

/** Sends one event; gives the exit code. */
async function tell(client: Client, question: Question): Promise<number> {
  try {
    await client.emit(question);
    return ExitCode.OK;
  } catch (error) {
    complain(reasonOf(error));
    // A server that takes nothing is not waited for.
    client.close();
    return ExitCode.FAILED;
  }
}

async function questionOf(
  pattern: string | undefined,
  data: string | undefined,
  options: SendOptions,
): Promise<Question> {
  const { dialect, event, metadata, timeoutMs = TimeLimit.SEND } = options;
  if (dialect !== 'raw') {
    if (pattern === undefined)
      throw new CommandLineError('Name the pattern: nest-uds send PATH PATTERN [JSON|-].');
    const bytes = await bytesOf(data, options);
    return { pattern, payload: bytes ?? (await valueOf(data)), metadata, timeoutMs };
  }
  if (event === true || metadata !== undefined) {
    throw new CommandLineError('Raw bytes carry no event and no metadata: leave --event and --metadata out.');
  }
  // Nothing names a pattern on the wire: one that is given all the same is not sent.
  const text = data ?? pattern;
  const payload =
    (await bytesOf(data, options)) ?? (text === '-' ? await readInput() : Buffer.from(text ?? ''));
  return { pattern: '', payload, timeoutMs };
}

async function bytesOf(data: string | undefined, { bytes }: SendOptions): Promise<Buffer | undefined> {
  if (bytes === undefined) return undefined;
  if (data !== undefined) throw new CommandLineError('Give either a payload or --bytes FILE, not both.');
  return bytes === '-' ? await readInput() : await readBytes(bytes);
}

async function valueOf(data: string | undefined): Promise<unknown> {
  if (data === undefined) return undefined;
  return jsonOf(data === '-' ? (await readInput()).toString('utf8') : data);
}

async function readBytes(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    const errno = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new CommandLineError(
      `The file ${file} can not be read: the system says ${errno}. Correct its path, or let this user read it.`,
    );
  }
}

async function readInput(): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > MAX_INPUT_BYTES)
      throw new CommandLineError(`The input is longer than ${MAX_INPUT_BYTES} bytes.`);
  }
  return Buffer.concat(chunks);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new CommandLineError(
      `The payload is no JSON: ${jsonLine(text.slice(0, 60))}. Strings and keys need double quotes, and the whole single ones: '"hello"'.`,
    );
  }
}

/** One request, from its first byte to its last answer. */
class Sending implements Caller {
  #call: OutgoingCall | undefined;
  #hasQuestion = false;
  #hasAnswer = false;
  #unprinted = 0;
  #finish: (code: number) => void = () => undefined;
  /** Prints one after the other. */
  #printed: Promise<void> = Promise.resolve();
  readonly #interrupted = (): void => this.#interrupt();

  constructor(
    private readonly client: Client,
    private readonly dialect: ClientDialect,
  ) {}

  /** Resolves with the exit code. */
  async run(question: Question): Promise<number> {
    // Not once: npm hands a Ctrl-C on, so that it comes twice.
    process.on('SIGINT', this.#interrupted);
    const code = await new Promise<number>((resolve) => {
      this.#finish = resolve;
      this.#hasQuestion = !Buffer.isBuffer(question.payload) || question.payload.length > 0;
      this.#call = this.client.request(question, this);
      // All that can be said in raw was said; the answers end with the server's output.
      if (this.dialect === 'raw') this.client.endInput();
    });
    // Whoever interrupts does not wait for a reader of the output either.
    if (code !== ExitCode.INTERRUPTED) await this.#printed;
    return code;
  }

  next(value: unknown, _isEnveloped: boolean, wireBytes: number): void {
    this.#hasAnswer = true;
    this.#unprinted += 1;
    const printed = this.#print(value);
    if (this.dialect !== 'binary') this.client.pause();
    void printed.then(() => {
      this.#unprinted -= 1;
      if (this.#call !== undefined) this.client.consume(this.#call, wireBytes);
      if (this.dialect !== 'binary' && this.#unprinted === 0) this.client.resume();
    });
  }

  end(value: unknown): void {
    if (value !== undefined) void this.#print(value);
    const fault = this.dialect === 'raw' ? this.#faultOfRaw() : undefined;
    if (fault === undefined) this.#finish(ExitCode.OK);
    else this.fail(errorOf('CONNECTION_LOST', fault));
  }

  fail(error: unknown): void {
    complain(reasonOf(error));
    this.#finish(ExitCode.FAILED);
  }

  /** Bytes as they are, anything else as a line of JSON; a value that is none is no line. */
  #print(value: unknown): Promise<void> {
    if (value === undefined) return this.#printed;
    try {
      const shown = Buffer.isBuffer(value) ? value : `${jsonLine(value)}\n`;
      this.#printed = this.#printed.then(() => print(shown));
    } catch (error) {
      if (this.#call !== undefined) this.client.cancel(this.#call);
      this.fail(error);
    }
    return this.#printed;
  }

  /** Raw bytes have no form for an error: what the end of the connection tells. */
  #faultOfRaw(): string | undefined {
    if (this.client.waitingBytes > 0) return 'The server ended before it had taken all that was sent.';
    if (this.#hasAnswer || !this.#hasQuestion) return undefined;
    return 'No answer came: the handler failed or gives none, or the server does not serve raw bytes there: then correct the path, or choose another --dialect.';
  }

  #interrupt(): void {
    if (this.#call !== undefined) this.client.cancel(this.#call);
    this.#finish(ExitCode.INTERRUPTED);
    exitSoon(ExitCode.INTERRUPTED);
  }
}
