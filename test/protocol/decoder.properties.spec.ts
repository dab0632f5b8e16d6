import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { bytesOf, messageFrom, vectorOf } from '../conformance/vectors.js';
import { BinaryDialect } from '../../src/protocol/dialects/binary.js';
import { FrameDecoder } from '../../src/protocol/frame-decoder.js';
import { HEADER_BYTES } from '../../src/protocol/frame.js';
import { FLOOR_FRAME_BYTES } from '../../src/protocol/hello.js';
import type { Message } from '../../src/protocol/message.js';
import { conversation, damaged, json, message, text as anyText } from './arbitraries.js';
import { byteByByte, cutAt, MIB, read } from './reading.js';

/** A slow machine runs fewer cases; a failure prints its seed and path, and fails. */
const TIME_BOX = { interruptAfterTimeLimit: 2_000, numRuns: 1_000 };

const hello = bytesOf('client-hello');

const places = fc.array(fc.nat(), { maxLength: 30 });

/** An end that has heard that the other takes long frames. */
function openDialect(): BinaryDialect {
  const dialect = new BinaryDialect(16 * MIB);
  dialect.decode(hello, () => undefined);
  return dialect;
}

function write(messages: readonly Message[], dialect = openDialect()): Buffer {
  for (const each of messages) dialect.encode(each);
  return Buffer.concat(dialect.take());
}

/** Bytes that begin a frame well, so that random ones get past the header. */
const framed = fc
  .array(
    fc
      .tuple(
        fc.nat(20),
        fc.nat(14),
        fc.constantFrom(0, 1, 2, 3, 4, 5, 8, 9, 0x80, 0xff),
        fc.uint8Array({ maxLength: 60 }),
      )
      .map(([id, type, flags, body]) => {
        const header = Buffer.alloc(HEADER_BYTES);
        header.writeUInt32BE(body.length);
        header.writeUInt32BE(id, 4);
        header[8] = type;
        header[9] = flags;
        return Buffer.concat([header, body]);
      }),
    { maxLength: 8 },
  )
  .map((frames) => Buffer.concat([hello, ...frames]));

const anyBytes = fc.oneof(
  fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array)),
  framed,
  damaged(conversation.map((messages) => write(messages))),
);

describe('any conversation', () => {
  it('reads as it was written: whole, byte by byte, and split anywhere', () => {
    fc.assert(
      fc.property(conversation, places, (messages, cuts) => {
        const stream = write(messages);
        const expected = { messages: messages.map(vectorOf), code: undefined };
        expect(read([stream])).toEqual(expected);
        expect(read(cutAt(stream, cuts))).toEqual(expected);
        if (stream.length < 4_000) expect(read(byteByByte(stream))).toEqual(expected);
      }),
      TIME_BOX,
    );
  });

  it('gives the same bytes packed as each message gives alone', () => {
    fc.assert(
      fc.property(conversation, fc.array(fc.boolean(), { maxLength: 20 }), (messages, takes) => {
        const packer = openDialect();
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
      }),
      TIME_BOX,
    );
  });

  it('is untouched by messages among it that can not be written', () => {
    const unwritable = fc.constantFrom<Partial<Message>>(
      { payload: 1n },
      { payload: Symbol('none') },
      { payload: Buffer.alloc(FLOOR_FRAME_BYTES + 1) },
      { payload: 'x'.repeat(FLOOR_FRAME_BYTES + 1) },
      { payload: '€'.repeat(2_000).repeat(11) },
      { pattern: 'p'.repeat(65_536) },
      { pattern: 'p'.repeat(10), metadata: { key: 'm'.repeat(65_536) } },
      { pattern: 'p'.repeat(8_000), metadata: { key: 'm'.repeat(7_000) }, payload: 'x'.repeat(60_000) },
    );
    const short = message.filter((each) => write([each]).length <= FLOOR_FRAME_BYTES);
    const sequence = fc.array(
      fc.oneof(
        { weight: 3, arbitrary: short.map((each) => ({ each, isWritable: true })) },
        {
          weight: 1,
          arbitrary: fc
            .tuple(
              message.filter(({ type }) => type === 3),
              unwritable,
            )
            .map(([each, fields]) => ({ each: Object.assign(each, fields), isWritable: false })),
        },
      ),
      { maxLength: 20 },
    );
    fc.assert(
      fc.property(sequence, (steps) => {
        const dialect = new BinaryDialect(FLOOR_FRAME_BYTES);
        for (const { each, isWritable } of steps) {
          const { pendingBytes, pendingFrames } = dialect;
          if (isWritable) {
            const length = dialect.encode(each);
            expect(dialect.pendingBytes).toBe(pendingBytes + length);
            expect(dialect.pendingFrames).toBe(pendingFrames + 1);
          } else {
            expect(() => dialect.encode(each)).toThrow();
            expect(dialect).toMatchObject({ pendingBytes, pendingFrames });
          }
        }
        const written = steps.filter(({ isWritable }) => isWritable).map(({ each }) => write([each]));
        expect(Buffer.concat(dialect.take()).equals(Buffer.concat(written))).toBe(true);
        expect(dialect).toMatchObject({ pendingBytes: 0, pendingFrames: 0 });
      }),
      TIME_BOX,
    );
  });
});

describe('any bytes at all', () => {
  it('give messages or a ProtocolError, and the same ones however they are split', () => {
    fc.assert(
      fc.property(anyBytes, places, (bytes, cuts) => {
        // read() throws on what is no ProtocolError
        const whole = read([bytes]);
        expect(read(cutAt(bytes, cuts))).toEqual(whole);
        if (bytes.length < 4_000) expect(read(byteByByte(bytes))).toEqual(whole);
      }),
      { ...TIME_BOX, interruptAfterTimeLimit: 3_000, numRuns: 10_000 },
    );
  });

  it('end a call, where they do, with a code for that alone', () => {
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        const faults = read([bytes]).messages.flatMap(({ fault }) => fault ?? []);
        expect(['BAD_PAYLOAD', 'BAD_METADATA']).toEqual(expect.arrayContaining(faults));
      }),
      TIME_BOX,
    );
  });

  it('mean the same after being read and written again', () => {
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        const messages: Message[] = [];
        try {
          openDialect().decode(bytes, (each) => messages.push(each));
        } catch {
          // what came before the broken frame counts
        }
        const readable = messages.filter(({ fault, hello }) => fault === undefined && hello === undefined);
        expect(read([hello, write(readable)])).toMatchObject({
          code: undefined,
          messages: [{ type: 'CLIENT_HELLO' }, ...readable.map(vectorOf)],
        });
      }),
      TIME_BOX,
    );
  });
});

describe('the work of reading', () => {
  const run = (chunks: Iterable<Buffer>): { copied: number; frames: number } => {
    const decoder = new FrameDecoder(16 * MIB);
    let frames = 0;
    for (const chunk of chunks) {
      decoder.push(chunk);
      while (decoder.next() !== undefined) frames += 1;
    }
    return { copied: decoder.copiedBytes, frames };
  };

  it('copies nothing of frames that come whole', () => {
    fc.assert(
      fc.property(conversation, (messages) => {
        expect(run([write(messages)])).toEqual({ copied: 0, frames: messages.length });
      }),
      TIME_BOX,
    );
  });

  it('copies no byte twice, however the stream is split', () => {
    fc.assert(
      fc.property(conversation, places, (messages, cuts) => {
        const stream = write(messages);
        const { copied, frames } = run(cutAt(stream, cuts));
        expect(frames).toBe(messages.length);
        expect(copied).toBeLessThanOrEqual(stream.length);
      }),
      TIME_BOX,
    );
  });

  it.each([1, 2, 3, 7, 1_000, 65_536])('copies each byte of a long frame once, in chunks of %d', (step) => {
    const length = step === 1 ? 65_536 : MIB;
    const frame = Buffer.concat([Buffer.alloc(HEADER_BYTES), Buffer.alloc(length, 'x')]);
    frame.writeUInt32BE(length);
    frame[8] = 5;
    frame[7] = 1;
    frame[9] = 2;
    const pieces = Array.from({ length: Math.ceil(frame.length / step) }, (_, index) =>
      frame.subarray(index * step, (index + 1) * step),
    );
    expect(run(pieces)).toEqual({ copied: frame.length, frames: 1 });
  });

  it('is to copy only the frame at the end of a chunk, where many lie before it', () => {
    const ping = Buffer.from('00000000000000070b00', 'hex');
    const many = Buffer.concat(Array.from({ length: 1_000 }, () => ping));
    expect(run([many.subarray(0, 9_995), many.subarray(9_995)])).toEqual({ copied: 10, frames: 1_000 });
  });
});

describe('any value', () => {
  it('survives as JSON.stringify and JSON.parse would leave it', () => {
    fc.assert(
      fc.property(fc.oneof(json, anyText), (value) => {
        const text = JSON.stringify([value]);
        const answer = messageFrom({ type: 'RESPONSE', id: 1, payload: { kind: 'none' } });
        answer.payload = [value];
        const [, message] = read([hello, write([answer])]).messages;
        expect(message).toMatchObject({ payload: { kind: 'json', json: text } });
      }),
      TIME_BOX,
    );
  });
});
