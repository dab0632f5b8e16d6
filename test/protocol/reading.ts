import { vectorOf, type VectorMessage } from '../conformance/vectors.js';
import { BinaryDialect } from '../../src/protocol/dialects/binary.js';
import { ProtocolError } from '../../src/protocol/errors.js';
import type { Message } from '../../src/protocol/message.js';

export const MIB = 1024 ** 2;

/** What a stream of bytes means: its messages, and the code with which it ended where it can't be read on. */
export interface Reading {
  readonly messages: readonly (VectorMessage & { readonly fault?: string })[];
  readonly code: string | undefined;
}

/** Reads chunks one after the other. Anything thrown that is no ProtocolError is thrown on. */
export function read(chunks: Iterable<Buffer>, dialect = new BinaryDialect(16 * MIB)): Reading {
  const messages: Reading['messages'][number][] = [];
  try {
    for (const chunk of chunks) {
      // A copy that is spoiled afterwards, as a socket's chunk may be: nothing may be kept of it.
      const lent = Buffer.from(chunk);
      const whole: Message[] = [];
      try {
        dialect.decode(lent, (message) => whole.push(message));
      } finally {
        lent.fill(0xee);
        messages.push(...whole.map(meaningOf));
      }
    }
    dialect.end();
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return { messages, code: error.code };
  }
  return { messages, code: undefined };
}

function meaningOf(message: Message): Reading['messages'][number] {
  const fault = message.fault?.code;
  return { ...vectorOf(message), ...(fault !== undefined && { fault }) };
}

export function* byteByByte(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at++) yield bytes.subarray(at, at + 1);
}

/** Cuts bytes at the given places, in whatever order they come. */
export function* cutAt(bytes: Buffer, places: readonly number[]): Generator<Buffer> {
  let from = 0;
  for (const to of [...places].map((place) => place % (bytes.length + 1)).sort((a, b) => a - b)) {
    yield bytes.subarray(from, to);
    from = to;
  }
  yield bytes.subarray(from);
}
