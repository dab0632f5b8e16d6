import { textVectorOf, type TextMessage, vectorOf, type VectorMessage } from '../conformance/vectors.js';
import { BinaryDialect } from '../../src/protocol/dialects/binary.js';
import type { Dialect } from '../../src/protocol/dialects/dialect.js';
import { ProtocolError, type UdsError } from '../../src/protocol/errors.js';
import type { Message } from '../../src/protocol/message.js';

export const MIB = 1024 ** 2;

/** What a stream of bytes means: its messages, and the code with which it ended where it can't be read on. */
export interface Reading<Meaning = VectorMessage> {
  readonly messages: readonly (Meaning & { readonly fault?: string })[];
  readonly code: string | undefined;
}

type Chunks = Iterable<Buffer>;

/** Reads chunks one after the other. Anything thrown that is no ProtocolError is thrown on. */
export function read(chunks: Chunks, dialect: Dialect = new BinaryDialect(16 * MIB)): Reading {
  return readAs(vectorOf, chunks, dialect);
}

/** The same in a dialect that is text. */
export function readText(
  chunks: Chunks,
  dialect: Dialect,
  thrown: typeof UdsError = ProtocolError,
): Reading<TextMessage> {
  return readAs(textVectorOf, chunks, dialect, thrown);
}

function readAs<Meaning>(
  meaningOf: (message: Message) => Meaning,
  chunks: Chunks,
  dialect: Dialect,
  thrown: typeof UdsError = ProtocolError,
): Reading<Meaning> {
  const whole: Message[] = [];
  let code: string | undefined;
  try {
    let before = Buffer.alloc(0);
    for (const chunk of chunks) {
      // A copy that is spoiled once the next one was read: nothing may be kept of it for longer.
      const lent = Buffer.from(chunk);
      try {
        dialect.decode(lent, (message) => whole.push(message));
      } finally {
        before.fill(0xee);
        before = lent;
      }
    }
    before.fill(0xee);
    dialect.end((message) => whole.push(message));
  } catch (error) {
    if (!(error instanceof thrown)) throw error;
    ({ code } = error);
  }
  const messages = whole.map((message) => {
    const fault = message.fault?.code;
    return { ...meaningOf(message), ...(fault !== undefined && { fault }) };
  });
  return { messages, code };
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
