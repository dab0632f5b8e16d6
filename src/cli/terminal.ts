import { once } from 'node:events';
import { errorOf, UdsError } from '../protocol/errors.js';
import { sentencesOf } from './next-step.js';

/** What a terminal might take for a command, of which JSON escapes the first 32 alone; and what turns a line around. */
// eslint-disable-next-line no-control-regex -- they are what is meant
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g;

const PATIENCE_MS = 500;

const escape = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;

/** A text as one line, whatever a peer put into it. */
export const oneLine = (text: string): string => text.replace(CONTROL, escape);

/** A value as one line of JSON. @throws RemoteError BAD_PAYLOAD for one that came and can't be written again */
export function jsonLine(value: unknown): string {
  try {
    return oneLine(JSON.stringify(value ?? null));
  } catch {
    throw errorOf('BAD_PAYLOAD', 'The answer is nested too deep to be printed.');
  }
}

/** Why something failed, in one line: a UdsError with its code and what to do; what a handler failed with as its JSON. */
export function reasonOf(error: unknown): string {
  if (error instanceof UdsError) return oneLine(`${error.code}: ${sentencesOf(error)}`);
  try {
    return `The handler failed: ${jsonLine(error)}`;
  } catch {
    return 'The handler failed with something that is nested too deep to be printed.';
  }
}

/** Says on the standard error output why the command failed. */
export function complain(reason: string): void {
  process.stderr.write(`nest-uds: ${reason}\n`);
}

/** Writes to the standard output; resolves when more may be written. */
export async function print(text: string | Uint8Array): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, 'drain');
}

/** Who reads us may have read enough, as `head` does: that is the end, and no error. */
export function endWithOurReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    process.exit(error.code === 'EPIPE' ? 0 : 1);
  });
  // Nobody can be told of a complaint that nobody reads: the exit code stays.
  process.stderr.on('error', () => undefined);
}

/** A Ctrl-C must not wait for a reader of the output that takes none, or for a server that does not close. */
export function exitSoon(code: number): void {
  setTimeout(() => process.exit(code), PATIENCE_MS).unref();
}
