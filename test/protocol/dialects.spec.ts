import { describe, expect, it } from '@jest/globals';
import { bytesOf, messageFrom } from '../conformance/vectors.js';
import { BinaryDialect } from '../../src/protocol/dialects/binary.js';
import { FrameDecoder } from '../../src/protocol/frame-decoder.js';
import { HEADER_BYTES } from '../../src/protocol/frame.js';
import { FLOOR_FRAME_BYTES, MAX_HELLO_BYTES } from '../../src/protocol/hello.js';
import { MIB, read } from './reading.js';

const withCode = (code: string): unknown => expect.objectContaining({ code });

function header(length: number, type: number, flags = 0): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES);
  bytes.writeUInt32BE(length);
  bytes[7] = 1;
  bytes[8] = type;
  bytes[9] = flags;
  return bytes;
}

describe('the longest frame that is taken', () => {
  it('is a hello until the first frame has come', () => {
    const dialect = new BinaryDialect(MIB);
    expect(() => dialect.decode(header(MAX_HELLO_BYTES + 1, 1), () => undefined)).toThrow(
      withCode('FRAME_TOO_LARGE'),
    );
    const other = new BinaryDialect(MIB);
    other.decode(header(MAX_HELLO_BYTES, 1), () => undefined);
  });

  it.each([FLOOR_FRAME_BYTES, MIB])('is then the one that was set: %d', (limit) => {
    const opened = (): BinaryDialect => {
      const dialect = new BinaryDialect(limit);
      dialect.decode(bytesOf('client-hello'), () => undefined);
      return dialect;
    };
    const body = Buffer.alloc(limit, 'x');
    expect(read([header(limit, 5, 2), body], opened())).toMatchObject({ messages: [{ type: 'RESPONSE' }] });
    expect(read([header(limit + 1, 5, 2)], opened())).toEqual({ messages: [], code: 'FRAME_TOO_LARGE' });
  });

  it('holds within the chunk that brings the hello', () => {
    const body = Buffer.alloc(20_000, 'x');
    const chunk = Buffer.concat([bytesOf('client-hello'), header(body.length, 5, 2), body]);
    expect(read([chunk]).messages).toHaveLength(2);
  });

  it('holds for frames that are skipped too', () => {
    expect(read([header(MAX_HELLO_BYTES + 1, 99, 0x80)])).toEqual({ messages: [], code: 'FRAME_TOO_LARGE' });
  });

  it('is refused on the header, before its body comes', () => {
    const decoder = new FrameDecoder(100);
    decoder.push(header(101, 11).subarray(0, 9));
    expect(decoder.next()).toBeUndefined();
    decoder.push(header(101, 11).subarray(9));
    expect(() => decoder.next()).toThrow(withCode('FRAME_TOO_LARGE'));
  });
});

describe('the longest frame that is written', () => {
  const answer = messageFrom({
    type: 'RESPONSE',
    id: 1,
    payload: { kind: 'text', text: 'x'.repeat(65_537) },
  });

  it('is the floor until the hello of the peer has come, then what that says', () => {
    const dialect = new BinaryDialect(MIB);
    expect(() => dialect.encode(answer)).toThrow(withCode('PAYLOAD_TOO_LARGE'));
    dialect.decode(bytesOf('server-hello'), () => undefined);
    expect(dialect.encode(answer)).toBe(HEADER_BYTES + 65_537);
  });
});

describe('the end of input', () => {
  const feed = (...chunks: Buffer[]): BinaryDialect => {
    const dialect = new BinaryDialect(MIB);
    for (const chunk of chunks) dialect.decode(chunk, () => undefined);
    return dialect;
  };
  const hello = bytesOf('client-hello');

  it('is good before, between and behind frames', () => {
    expect(() => feed().end()).not.toThrow();
    expect(() => feed(hello).end()).not.toThrow();
    expect(() => feed(hello.subarray(0, 20), hello.subarray(20)).end()).not.toThrow();
    expect(() => feed(hello, bytesOf('skippable-unknown')).end()).not.toThrow();
  });

  it('is FRAME_CUT at every place inside a frame', () => {
    for (let at = 1; at < hello.length; at++) {
      expect(() => feed(hello.subarray(0, at)).end()).toThrow(withCode('FRAME_CUT'));
      expect(() => feed(Buffer.concat([hello, hello.subarray(0, at)])).end()).toThrow(withCode('FRAME_CUT'));
    }
  });
});

describe('a decoder between two frames', () => {
  it('knows whether a frame has begun, also before it was asked for the next', () => {
    const decoder = new FrameDecoder(100);
    const ping = bytesOf('ping');
    expect(decoder.isMidFrame).toBe(false);
    decoder.push(Buffer.concat([ping, ping.subarray(0, 3)]));
    expect(decoder.next()?.type).toBe(11);
    expect(decoder.isMidFrame).toBe(true);
    expect(decoder.next()).toBeUndefined();
    expect(decoder.isMidFrame).toBe(true);
    decoder.push(ping.subarray(3));
    expect(decoder.next()?.id).toBe(7);
    expect(decoder.isMidFrame).toBe(false);
  });

  it('takes empty chunks for nothing', () => {
    const decoder = new FrameDecoder(100);
    decoder.push(Buffer.alloc(0));
    expect(decoder.next()).toBeUndefined();
    expect(decoder.isMidFrame).toBe(false);
  });

  it('says which frames own their bytes: those that were collected', () => {
    const decoder = new FrameDecoder(100);
    const bytes = bytesOf('response-text');
    decoder.push(bytes);
    expect(decoder.next()).toMatchObject({ ownsBytes: false, start: 10, end: 15 });
    decoder.push(bytes.subarray(0, 12));
    expect(decoder.next()).toBeUndefined();
    decoder.push(bytes.subarray(12));
    expect(decoder.next()).toMatchObject({ ownsBytes: true, start: 0, end: 5 });
  });
});
