import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { textVectorOf, type TextMessage } from '../conformance/vectors.js';
import type { Message } from '../../src/protocol/message.js';
import { damaged } from './arbitraries.js';
import { DIALECT_CASES, type DialectCase } from './dialect-cases.js';
import { byteByByte, cutAt, MIB, readText } from './reading.js';

/** A slow machine runs fewer cases; a failure prints its seed and path, and fails. */
const TIME_BOX = { interruptAfterTimeLimit: 800, numRuns: 1_000 };

const places = fc.array(fc.nat(), { maxLength: 30 });

/** What chunks mean to an end. */
const meaningOf = (
  { reader, meaning, thrown }: DialectCase,
  chunks: Iterable<Buffer>,
  limit = 16 * MIB,
): unknown => meaning(readText(chunks, reader(limit), thrown));

const anyBytesOf = ({ said, write, framed }: DialectCase): fc.Arbitrary<Buffer> =>
  fc.oneof(
    fc.uint8Array({ maxLength: 200 }).map((each) => Buffer.from(each)),
    framed,
    damaged(said.map(write)),
  );

describe.each(DIALECT_CASES)('what is said, to $name,', (dialect) => {
  const { said, write, writer, meaning } = dialect;

  it('reads as it was written: whole, byte by byte, and split anywhere', () => {
    fc.assert(
      fc.property(said, places, (messages, cuts) => {
        const stream = write(messages);
        const expected = meaning({ messages: messages.map(textVectorOf), code: undefined });
        expect(meaningOf(dialect, [stream])).toEqual(expected);
        expect(meaningOf(dialect, cutAt(stream, cuts))).toEqual(expected);
        if (stream.length < 4_000) expect(meaningOf(dialect, byteByByte(stream))).toEqual(expected);
      }),
      TIME_BOX,
    );
  });

  if (writer === undefined) return;

  it('is the same bytes packed as each message gives alone', () => {
    fc.assert(
      fc.property(said, fc.array(fc.boolean(), { maxLength: 20 }), (messages, takes) => {
        const packer = writer();
        const taken: Buffer[] = [];
        const lengths = messages.map((each, index) => {
          const length = packer.encode(each);
          if (takes[index] === true) taken.push(...packer.take());
          return length;
        });
        taken.push(...packer.take());
        const alone = messages.map((each) => write([each]));
        // Chunks that were taken long ago are looked at last: nothing may have been written over them.
        expect(Buffer.concat(taken).equals(Buffer.concat(alone))).toBe(true);
        expect(lengths).toEqual(alone.map(({ length }) => length));
        expect(packer).toMatchObject({ pendingBytes: 0, pendingFrames: 0 });
      }),
      TIME_BOX,
    );
  });

  it('is untouched by messages among it that can not be written', () => {
    const unwritable = fc.constantFrom<unknown>(1n, Symbol('none'), () => 1, { toJSON: () => undefined });
    fc.assert(
      fc.property(said, fc.array(fc.tuple(fc.nat(), unwritable), { minLength: 1 }), (messages, bad) => {
        const packer = writer();
        const tried = (message: Message, payload: unknown): void => {
          const { pendingBytes, pendingFrames } = packer;
          const copy = Object.assign(Object.create(message) as Message, { payload });
          expect(() => packer.encode(copy)).toThrow(
            expect.objectContaining({ code: 'UNSERIALIZABLE_PAYLOAD' }),
          );
          expect(packer).toMatchObject({ pendingBytes, pendingFrames });
        };
        for (const [index, message] of messages.entries()) {
          const payload = bad.find(([where]) => where % messages.length === index)?.[1];
          if (payload !== undefined && message.payload !== undefined) tried(message, payload);
          packer.encode(message);
        }
        expect(Buffer.concat(packer.take()).equals(write(messages))).toBe(true);
      }),
      TIME_BOX,
    );
  });
});

describe.each(DIALECT_CASES)('any bytes at all, to $name,', (dialect) => {
  const anyBytes = anyBytesOf(dialect);

  it.each([16 * MIB, 100])('give the same however they are split, with frames of up to %d bytes', (limit) => {
    fc.assert(
      fc.property(anyBytes, places, (bytes, cuts) => {
        // readText() throws on what is thrown and not documented
        const whole = meaningOf(dialect, [bytes], limit);
        expect(meaningOf(dialect, cutAt(bytes, cuts), limit)).toEqual(whole);
        if (bytes.length < 4_000) expect(meaningOf(dialect, byteByByte(bytes), limit)).toEqual(whole);
      }),
      { ...TIME_BOX, numRuns: 3_000 },
    );
  });

  it('end a connection, or a call, with a code that is documented for that', () => {
    const { codes, faults, reader, thrown } = dialect;
    fc.assert(
      fc.property(anyBytes, fc.constantFrom(100, 16 * MIB), (bytes, limit) => {
        const { code, messages } = readText([bytes], reader(limit), thrown);
        if (code !== undefined) expect(codes).toContain(code);
        expect(faults).toEqual(expect.arrayContaining(messages.flatMap(({ fault }) => fault ?? [])));
      }),
      TIME_BOX,
    );
  });

  // what a hello opens is in decoder.properties.spec.ts
  if (dialect.reader(MIB).hasHello) return;

  it('mean the same after being read and written again', () => {
    const { reader, write, meaning } = dialect;
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        const messages: Message[] = [];
        const end = reader(16 * MIB);
        try {
          end.decode(bytes, (each) => messages.push(each));
          end.end((each) => messages.push(each));
        } catch {
          // what came before that counts
        }
        const readable = messages.filter(({ fault }) => fault === undefined);
        // as JSON has it, where -0 is 0
        const meant = readable.map((each) => JSON.parse(JSON.stringify(textVectorOf(each))) as TextMessage);
        expect(meaningOf(dialect, [write(readable)])).toEqual(meaning({ messages: meant, code: undefined }));
      }),
      TIME_BOX,
    );
  });
});
