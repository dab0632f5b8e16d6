import { describe, expect, it } from '@jest/globals';
import { bytesOf } from '../conformance/vectors.js';
import { FrameType, HEADER_BYTES } from '../../src/protocol/frame.js';
import { byteByByte, read } from './reading.js';

type TypeName = keyof typeof FrameType;

function frame(type: TypeName, flags: number, body: Buffer, id = 1): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32BE(body.length);
  header.writeUInt32BE(id, 4);
  header[8] = FrameType[type];
  header[9] = flags;
  return Buffer.concat([header, body]);
}

/** The head of a call with what follows it, the two lengths as given. */
function head(patternBytes: number, metadataBytes: number, rest: string): Buffer {
  const bytes = Buffer.alloc(12);
  bytes.writeUInt16BE(patternBytes, 8);
  bytes.writeUInt16BE(metadataBytes, 10);
  return Buffer.concat([bytes, Buffer.from(rest)]);
}

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const ping = bytesOf('ping');

describe('a body that does not fit its type', () => {
  const types = Object.keys(FrameType) as TypeName[];

  it.each<[string, TypeName, number, Buffer]>([
    ['pattern and metadata that run past the end by one byte', 'REQUEST', 0, head(2, 3, 'pp{}')],
    ['the same before a payload of text', 'REQUEST', 2, head(2, 3, 'pp{}')],
    ['the same before a payload of bytes', 'REQUEST', 3, head(5, 0, 'pppp')],
    ['the same before JSON', 'REQUEST', 1, head(5, 0, 'pppp')],
    ['lengths that end beyond any frame', 'REQUEST', 3, head(65_535, 65_535, 'p')],
    ['a CREDIT of five bytes', 'CREDIT', 0, Buffer.alloc(5)],
    ['a CREDIT of none', 'CREDIT', 0, Buffer.alloc(0)],
    ['a PING with a body', 'PING', 0, Buffer.alloc(1)],
    ['a PONG with a body', 'PONG', 0, Buffer.alloc(1)],
    ['a COMPLETE of empty bytes', 'COMPLETE', 3, Buffer.alloc(0)],
    ['a COMPLETE of empty JSON', 'COMPLETE', 1, Buffer.alloc(0)],
    ['a reason without a code', 'GOAWAY', 1, json({ message: 'm' })],
    ['a reason without a message', 'GOAWAY', 1, json({ code: 'C' })],
    ['a reason that is null', 'GOAWAY', 1, json(null)],
    ['a reason that is text', 'GOAWAY', 2, Buffer.from('bye')],
    ['a last reason that is no JSON', 'GOAWAY', 9, Buffer.from('{')],
    ["the transport's error without a code", 'ERROR', 9, json({ message: 'm' })],
    ["the transport's error without a message", 'ERROR', 9, json({ code: 'C' })],
    ["the transport's error with a number for its code", 'ERROR', 9, json({ code: 1, message: 'm' })],
    ["the transport's error with a number for its message", 'ERROR', 9, json({ code: 'C', message: 1 })],
    ["the transport's error that is null", 'ERROR', 9, json(null)],
    ["the transport's error that is none", 'ERROR', 8, Buffer.alloc(0)],
    ["the transport's error that is no JSON", 'ERROR', 9, Buffer.from('{')],
  ])('ends the connection: %s', (_name, type, flags, body) => {
    const bytes = Buffer.concat([frame(type, flags, body), ping]);
    expect(read([bytes])).toEqual({ messages: [], code: 'BAD_FRAME' });
    expect(read(byteByByte(bytes))).toEqual({ messages: [], code: 'BAD_FRAME' });
  });

  it('is not to be found in an empty one of the types that have none', () => {
    const isTaken = (type: TypeName): boolean =>
      read([frame(type, 0, Buffer.alloc(0), type === 'GOAWAY' ? 0 : 1)]).code === undefined;
    const empty = types.filter(isTaken);
    const answers = ['RESPONSE', 'NEXT', 'COMPLETE', 'ERROR'];
    expect(empty).toEqual([...answers, 'CANCEL', 'PING', 'PONG', 'GOAWAY', 'TAKEOVER']);
  });

  it('is a flag that its type does not define, for every type and bit', () => {
    const ofAnswers = 0x07;
    const allowed: Partial<Record<TypeName, number>> = {
      REQUEST: 0x07,
      EVENT: 0x07,
      RESPONSE: ofAnswers,
      NEXT: ofAnswers,
      COMPLETE: ofAnswers,
      ERROR: ofAnswers | 0x08,
      GOAWAY: 0x03 | 0x08,
      TAKEOVER: 0x80,
    };
    for (const type of types) {
      for (let bit = 1; bit <= 0x80; bit <<= 1) {
        if (((allowed[type] ?? 0) & bit) !== 0) continue;
        expect(read([frame(type, bit, Buffer.alloc(0))])).toEqual({ messages: [], code: 'BAD_FRAME' });
      }
    }
  });
});

describe('a call that can not be read', () => {
  it('is refused for its metadata where its payload is broken too', () => {
    const { messages } = read([frame('REQUEST', 1, head(1, 1, 'p{{')), ping]);
    expect(messages).toMatchObject([{ fault: 'BAD_METADATA' }, { type: 'PING' }]);
  });

  it('still has its payload where its metadata alone is broken', () => {
    const { messages } = read([frame('REQUEST', 2, head(1, 1, 'p{text')), ping]);
    expect(messages).toMatchObject([
      { fault: 'BAD_METADATA', pattern: 'p', payload: { text: 'text' } },
      { type: 'PING' },
    ]);
  });

  it('may be an answer or an event as well', () => {
    const broken = Buffer.from('{');
    for (const type of ['RESPONSE', 'NEXT', 'ERROR'] as const) {
      expect(read([frame(type, 1, broken)]).messages).toMatchObject([{ type, fault: 'BAD_PAYLOAD' }]);
    }
    expect(read([frame('COMPLETE', 5, broken)]).messages).toMatchObject([{ fault: 'BAD_PAYLOAD' }]);
    expect(read([frame('EVENT', 1, head(0, 0, '{'), 0)]).messages).toMatchObject([{ fault: 'BAD_PAYLOAD' }]);
  });
});
