import { describe, expect, it } from '@jest/globals';
import { bytesOf, messageFrom, vectorOf, type VectorMessage } from '../conformance/vectors.js';
import { BinaryDialect } from '../../src/protocol/dialects/binary.js';
import { UsageError, type UdsErrorCode } from '../../src/protocol/errors.js';
import { FrameEncoder } from '../../src/protocol/frame-encoder.js';
import { FrameType, HEADER_BYTES } from '../../src/protocol/frame.js';
import { FLOOR_FRAME_BYTES } from '../../src/protocol/hello.js';
import { encodeMessage, type Message } from '../../src/protocol/message.js';
import { EncodedPayload } from '../../src/protocol/payload-codec.js';
import { MIB, read, type Reading } from './reading.js';

const PING: VectorMessage = { type: 'PING', id: 7 };

const request = (fields: Partial<Message>): Message =>
  Object.assign(messageFrom({ type: 'REQUEST', id: 1, pattern: 'echo' }), fields);

const answer = (payload: unknown): Message =>
  Object.assign(messageFrom({ type: 'RESPONSE', id: 1 }), { payload });

/** Reads what an encoder has packed, behind a hello. */
const readBack = (chunks: readonly Buffer[]): Reading['messages'] => {
  const { messages, code } = read([bytesOf('client-hello'), ...chunks]);
  expect(code).toBeUndefined();
  return messages.slice(1);
};

const refuses = (): never => {
  throw new Error('refused');
};
const cycle: unknown[] = [];
cycle.push(cycle);

describe('a message that can not be written', () => {
  const atMost = (bytes: number): string => 'x'.repeat(bytes);
  const cases: [string, Message, UdsErrorCode][] = [
    ['a body over the limit of the peer', answer(atMost(FLOOR_FRAME_BYTES + 1)), 'PAYLOAD_TOO_LARGE'],
    ['bytes over the limit', answer(Buffer.alloc(FLOOR_FRAME_BYTES + 1)), 'PAYLOAD_TOO_LARGE'],
    ['JSON over the limit', answer([atMost(FLOOR_FRAME_BYTES - 3)]), 'PAYLOAD_TOO_LARGE'],
    [
      'a head that makes it too long',
      request({ payload: atMost(FLOOR_FRAME_BYTES - 15) }),
      'PAYLOAD_TOO_LARGE',
    ],
    ['a payload encoded ahead over it', answer(new EncodedPayload(atMost(65_537))), 'PAYLOAD_TOO_LARGE'],
    ['a pattern over a u16', request({ pattern: atMost(65_536) }), 'INVALID_PATTERN'],
    ['a pattern over a u16 in bytes', request({ pattern: 'ż'.repeat(32_768) }), 'INVALID_PATTERN'],
    ['metadata over a u16', request({ metadata: { a: atMost(65_528) } }), 'METADATA_TOO_LARGE'],
    ['a function', answer(() => 1), 'UNSERIALIZABLE_PAYLOAD'],
    ['a symbol', answer(Symbol('s')), 'UNSERIALIZABLE_PAYLOAD'],
    ['a BigInt', answer(1n), 'UNSERIALIZABLE_PAYLOAD'],
    ['a cycle', answer(cycle), 'UNSERIALIZABLE_PAYLOAD'],
    ['a toJSON that throws', answer({ toJSON: refuses }), 'UNSERIALIZABLE_PAYLOAD'],
    [
      'a getter that throws',
      answer(Object.defineProperty({}, 'a', { enumerable: true, get: refuses })),
      'UNSERIALIZABLE_PAYLOAD',
    ],
    [
      'a Proxy that throws',
      answer(new Proxy({}, { getPrototypeOf: refuses, get: refuses })),
      'UNSERIALIZABLE_PAYLOAD',
    ],
    [
      'a Proxy of bytes that throws',
      answer(new Proxy(Buffer.alloc(1), { get: refuses })),
      'UNSERIALIZABLE_PAYLOAD',
    ],
    ['a payload, in a request', request({ payload: 1n, metadata: { a: 'b' } }), 'UNSERIALIZABLE_PAYLOAD'],
  ];

  it.each(cases)('is refused for %s, and leaves those around it whole', (_name, message, code) => {
    const dialect = new BinaryDialect(FLOOR_FRAME_BYTES);
    dialect.encode(messageFrom(PING));
    const { pendingBytes, pendingFrames } = dialect;
    const act = (): unknown => dialect.encode(message);
    expect(act).toThrow(UsageError);
    expect(act).toThrow(expect.objectContaining({ code }));
    expect(dialect).toMatchObject({ pendingBytes, pendingFrames });
    dialect.encode(messageFrom(PING));
    expect(readBack(dialect.take())).toEqual([PING, PING]);
  });

  it.each(cases)('leaves nothing where it is the first and only one: %s', (_name, message) => {
    const dialect = new BinaryDialect(FLOOR_FRAME_BYTES);
    expect(() => dialect.encode(message)).toThrow();
    expect(dialect).toMatchObject({ pendingBytes: 0, pendingFrames: 0 });
    expect(dialect.take()).toEqual([]);
  });

  it('leaves a frame with a body beside it whole', () => {
    const large = messageFrom({ type: 'NEXT', id: 1, payload: { kind: 'text', text: 'x'.repeat(20_000) } });
    for (const [, message] of cases) {
      const dialect = new BinaryDialect(FLOOR_FRAME_BYTES);
      dialect.encode(large);
      expect(() => dialect.encode(message)).toThrow();
      dialect.encode(large);
      expect(readBack(dialect.take())).toEqual([vectorOf(large), vectorOf(large)]);
    }
  });
});

describe('the limits of a message', () => {
  it.each<[string, Message]>([
    ['a body as long as the peer takes', answer('x'.repeat(FLOOR_FRAME_BYTES))],
    ['bytes as long as the peer takes', answer(Buffer.alloc(FLOOR_FRAME_BYTES))],
    ['a request as long as the peer takes', request({ payload: 'x'.repeat(FLOOR_FRAME_BYTES - 16) })],
  ])('take %s', (_name, message) => {
    const dialect = new BinaryDialect(FLOOR_FRAME_BYTES);
    expect(dialect.encode(message)).toBe(HEADER_BYTES + FLOOR_FRAME_BYTES);
    expect(readBack(dialect.take())).toEqual([vectorOf(message)]);
  });

  it('take the longest pattern and the longest metadata', () => {
    const encoder = new FrameEncoder();
    const message = request({
      pattern: 'x'.repeat(65_535),
      metadata: { a: 'x'.repeat(65_527) },
      payload: 'end',
    });
    encodeMessage(message, encoder, MIB);
    expect(readBack(encoder.take())).toEqual([vectorOf(message)]);
  });

  it('name the length and the limit', () => {
    const encoder = new FrameEncoder();
    expect(() => encodeMessage(answer('x'.repeat(101)), encoder, 100)).toThrow(
      /101 bytes.* 100 \(.*maxFrameBytes/,
    );
    expect(() => encodeMessage(request({ pattern: 'x'.repeat(65_536) }), encoder, MIB)).toThrow(
      /pattern has 65536 bytes/,
    );
    expect(() => encodeMessage(request({ metadata: { a: 'x'.repeat(65_536) } }), encoder, MIB)).toThrow(
      /metadata has 65544 bytes/,
    );
  });
});

describe('packing', () => {
  const small = answer('a value of some length');
  const smallBytes = HEADER_BYTES + 22;

  it('lays small frames side by side in one chunk', () => {
    const encoder = new FrameEncoder();
    for (let count = 0; count < 100; count++) encodeMessage(small, encoder, MIB);
    expect(encoder).toMatchObject({ pendingFrames: 100, pendingBytes: 100 * smallBytes });
    const chunks = encoder.take();
    expect(chunks).toHaveLength(1);
    expect(readBack(chunks)).toHaveLength(100);
  });

  it('hands large bytes on without a copy', () => {
    const body = Buffer.alloc(100_000, 'x');
    const encoder = new FrameEncoder();
    encodeMessage(small, encoder, MIB);
    encodeMessage(answer(body), encoder, MIB);
    encodeMessage(small, encoder, MIB);
    const chunks = encoder.take();
    expect(chunks.map(({ length }) => length)).toEqual([smallBytes + HEADER_BYTES, 100_000, smallBytes]);
    expect(chunks[1]!.buffer).toBe(body.buffer);
  });

  it('hands on a part of a larger memory as that part', () => {
    const memory = new Uint8Array(50_000).map((_, index) => index % 251);
    const part = memory.subarray(10_001, 30_001);
    const encoder = new FrameEncoder();
    encodeMessage(answer(part), encoder, MIB);
    expect(Buffer.concat(encoder.take()).subarray(HEADER_BYTES).equals(part)).toBe(true);
  });

  it('copies small bytes: their owner may write over them at once', () => {
    const body = Buffer.from('abc');
    const encoder = new FrameEncoder();
    encodeMessage(answer(body), encoder, MIB);
    body.fill('x');
    expect(readBack(encoder.take())).toMatchObject([{ payload: { hex: '616263' } }]);
  });

  it('writes no byte again that was handed over, whoever packs next', () => {
    const taken: { chunks: Buffer[]; copy: Buffer }[] = [];
    const encoders = Array.from({ length: 12 }, () => new FrameEncoder());
    for (let round = 0; round < 40; round++) {
      for (const [index, encoder] of encoders.entries()) {
        encodeMessage(answer(String.fromCharCode(97 + ((round + index) % 26)).repeat(700)), encoder, MIB);
      }
      for (const encoder of encoders) {
        const chunks = encoder.take();
        taken.push({ chunks, copy: Buffer.concat(chunks) });
      }
    }
    expect(taken.every(({ chunks, copy }) => Buffer.concat(chunks).equals(copy))).toBe(true);
  });

  it('gives nothing twice', () => {
    const encoder = new FrameEncoder();
    encodeMessage(small, encoder, MIB);
    expect(encoder.take()).toHaveLength(1);
    expect(encoder.take()).toEqual([]);
    expect(encoder).toMatchObject({ pendingBytes: 0, pendingFrames: 0 });
  });

  // Frames of each length, so that a header, a head, a pattern and a body meet the end of a slab at every place.
  it.each([
    ['of 1 KiB', 1_000, 30],
    ['at 8 KiB', 8_170, 4],
    ['of 21 KiB', 21_824, 2],
    ['at 64 KiB', 65_476, 1],
  ])('writes calls %s whole, wherever a slab ends', (_name, length, count) => {
    const dialect = new BinaryDialect(FLOOR_FRAME_BYTES);
    dialect.decode(bytesOf('client-hello'), () => undefined);
    const messages = Array.from({ length: 44 }, (_, off) =>
      Array.from({ length: count }, () => [
        request({ pattern: 'p'.repeat(Math.min(65_500, length + off)), payload: { off } }),
        request({
          metadata: { key: 'm'.repeat(Math.min(65_000, length + off)) },
          payload: Buffer.from('ab'),
        }),
        request({ payload: 'ż'.repeat((length + off) >> 1) }),
        request({ payload: Buffer.alloc(length + off, off) }),
      ]),
    ).flat(2);
    const lengths = messages.map((message) => dialect.encode(message));
    const chunks = dialect.take();
    expect(Buffer.concat(chunks).length).toBe(lengths.reduce((sum, each) => sum + each, 0));

    const received = readBack(chunks);
    expect(received.length).toBe(messages.length);
    const differing = messages.findIndex(
      (message, index) => JSON.stringify(vectorOf(message)) !== JSON.stringify(received[index]),
    );
    expect(differing).toBe(-1);
  });

  it('keeps the head of a call in one piece with its header at the end of a slab', () => {
    for (let room = 1; room <= 40; room++) {
      const encoder = new FrameEncoder();
      // 8 frames of 8,000 bytes leave 1,456 bytes of a slab; the next leaves `room` of them
      const fill = (bytes: number): unknown =>
        encodeMessage(answer('f'.repeat(bytes - HEADER_BYTES)), encoder, MIB);
      for (let count = 0; count < 8; count++) fill(8_000);
      fill(1_536 - room);
      encodeMessage(request({ pattern: 'patterns', metadata: { a: 'b' }, payload: 'p' }), encoder, MIB);
      const messages = readBack(encoder.take());
      expect(messages[9]).toMatchObject({
        pattern: 'patterns',
        metadata: { a: 'b' },
        payload: { text: 'p' },
      });
    }
  });
});

describe('one frame by hand', () => {
  it('counts its body as it grows, and takes every width', () => {
    const encoder = new FrameEncoder();
    encoder.begin(FrameType.PING, 0x80, 0x01020304);
    encoder.appendU8(1);
    encoder.appendU16(0x0203);
    encoder.appendU32(0x04050607);
    expect(encoder.appendText('é')).toBe(2);
    encoder.appendBytes(new Uint8Array([8]));
    expect(encoder.bodyBytes).toBe(10);
    encoder.patchU16(1, 0xffee);
    encoder.end();
    expect(Buffer.concat(encoder.take()).toString('hex')).toBe('0000000a010203040b8001ffee04050607c3a908');
  });
});

describe('a long text', () => {
  it.each([
    ['of ASCII', 'a'.repeat(20_000)],
    ['of ASCII but for its last letter', `${'a'.repeat(20_000)}\u00e9`],
    ['of Latin-1', '\u00e9'.repeat(20_000)],
    ['of three bytes a letter', '\u20ac'.repeat(20_000)],
    ['of surrogate pairs', '\u{1f600}'.repeat(10_000)],
  ])('is read as it was written: %s', (_what, text) => {
    const dialect = new BinaryDialect(FLOOR_FRAME_BYTES);
    dialect.encode(answer(text));
    const chunks = dialect.take();
    // Not compared by Jest, which would print all of it.
    expect(Buffer.concat(chunks).subarray(HEADER_BYTES).equals(Buffer.from(text))).toBe(true);
    expect(JSON.stringify(readBack(chunks)).includes(JSON.stringify(text))).toBe(true);
  });
});
