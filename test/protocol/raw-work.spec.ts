import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Dialect } from '../../src/protocol/dialects/dialect.js';
import { RawClientDialect, RawDialect } from '../../src/protocol/dialects/raw.js';
import { FrameType } from '../../src/protocol/frame.js';
import { Message } from '../../src/protocol/message.js';
import { cutAt, MIB } from './reading.js';

const TIME_BOX = { interruptAfterTimeLimit: 800, numRuns: 1_000 };
const places = fc.array(fc.nat(), { maxLength: 30 });
const streams = fc.uint8Array({ maxLength: 20_000 }).map((bytes) => Buffer.from(bytes));

/** A client's end that has asked: what comes is the answer. */
function askedClient(): Dialect {
  const dialect = new RawClientDialect();
  dialect.encode(new Message(FrameType.REQUEST, 1));
  return dialect;
}

const ENDS = [
  { name: 'a server', make: (): Dialect => new RawDialect('echo') },
  { name: 'a client', make: askedClient },
];

interface Work {
  /** The payload of each message, by the chunk that brought it. */
  readonly payloads: readonly (readonly Buffer[])[];
  /** By how much all that buffers hold has grown meanwhile. */
  readonly grownBytes: number;
}

/** Each chunk is spoiled once it was read: nothing of it may be kept where it lies. */
function run(dialect: Dialect, chunks: Iterable<Buffer>): Work {
  const payloads: Buffer[][] = [];
  let keptBytes = 0;
  const lent = Array.from(chunks, (chunk) => Buffer.from(chunk));
  const before = process.memoryUsage().arrayBuffers;
  for (const chunk of lent) {
    const read: Buffer[] = [];
    dialect.decode(chunk, ({ payload }) => read.push(payload as Buffer));
    keptBytes += dialect.unfinishedBytes;
    payloads.push(read);
    chunk.fill(0xee);
  }
  const grownBytes = process.memoryUsage().arrayBuffers - before;
  expect(keptBytes).toBe(0);
  return { payloads, grownBytes };
}

const piecesOf = (stream: Buffer, step: number): Buffer[] =>
  Array.from({ length: Math.ceil(stream.length / step) }, (_, index) =>
    stream.subarray(index * step, (index + 1) * step),
  );

describe.each(ENDS)('the work of reading raw bytes, the end of $name', ({ make }) => {
  it('is one message a chunk with its bytes and no others, however the stream is split', () => {
    fc.assert(
      fc.property(streams, places, (stream, cuts) => {
        const chunks = [...cutAt(stream, cuts)].filter(({ length }) => length > 0);
        const { payloads } = run(make(), chunks);
        expect(payloads.map((each) => each.length)).toEqual(chunks.map(() => 1));
        expect(payloads.every(([payload], index) => payload!.equals(chunks[index]!))).toBe(true);
      }),
      TIME_BOX,
    );
  });

  it.each([1, 2, 3, 7, 1_000, 65_536])('copies each byte once, in chunks of %d bytes', (step) => {
    const stream = Buffer.alloc(step < 1_000 ? 50_000 : 8 * MIB, 'x');
    const { payloads, grownBytes } = run(make(), piecesOf(stream, step));
    // Node puts short copies side by side in pools, of which each may have a rest, and aligns each to 8 bytes.
    const roomBytes = payloads.length * Math.ceil(step / 8) * 8;
    expect(payloads.flat()).toHaveLength(Math.ceil(stream.length / step));
    expect(grownBytes).toBeLessThanOrEqual(roomBytes * 1.2 + 65_536);
  });

  it('holds of a long chunk no more than its own bytes', () => {
    const { payloads } = run(make(), piecesOf(Buffer.alloc(MIB, 'x'), 65_536));
    expect(new Set(payloads.flat().map(({ buffer }) => buffer)).size).toBe(16);
    for (const payload of payloads.flat()) expect(payload.buffer.byteLength).toBe(payload.length);
  });
});
