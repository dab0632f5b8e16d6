import { describe, expect, it } from '@jest/globals';
import { FrameEncoder } from '../../src/protocol/frame-encoder.js';
import { FrameType, HEADER_BYTES, MAX_U32 } from '../../src/protocol/frame.js';
import {
  chooseVersion,
  decodeHello,
  encodeHello,
  FLOOR_FRAME_BYTES,
  MAX_HELLO_BYTES,
  VERSION_FROM,
  VERSION_TO,
  type Hello,
} from '../../src/protocol/hello.js';

const HELLO: Hello = {
  versionFrom: 1,
  versionTo: 1,
  chosen: 0,
  features: 0,
  maxFrameBytes: FLOOR_FRAME_BYTES,
  maxInFlight: 0,
  maxEvents: 0,
  pid: 1,
  name: '',
};

function bodyOf(hello: Partial<Hello>): Buffer {
  const encoder = new FrameEncoder();
  encoder.begin(FrameType.CLIENT_HELLO, 0, 0);
  encodeHello({ ...HELLO, ...hello }, encoder);
  encoder.end();
  return Buffer.concat(encoder.take()).subarray(HEADER_BYTES);
}

const decode = (body: Buffer): Hello => decodeHello(body, 0, body.length);
const badHello = expect.objectContaining({ code: 'BAD_HELLO' });

describe('the version in force', () => {
  it.each([
    [1, 1, 1],
    [1, 3, 1],
    [0, 1, 1],
    [0, 255, 1],
    [2, 3, 0],
    [0, 0, 0],
    [255, 255, 0],
  ])('for a client that speaks %d to %d is %d', (versionFrom, versionTo, chosen) => {
    expect([VERSION_FROM, VERSION_TO]).toEqual([1, 1]);
    expect(chooseVersion({ ...HELLO, versionFrom, versionTo })).toBe(chosen);
  });
});

describe('a hello', () => {
  it('reads as it was written, with the largest numbers', () => {
    const hello: Hello = {
      versionFrom: 255,
      versionTo: 255,
      chosen: 255,
      features: MAX_U32,
      maxFrameBytes: MAX_U32,
      maxInFlight: MAX_U32,
      maxEvents: MAX_U32,
      pid: MAX_U32,
      name: 'żółw 🐢',
    };
    expect(decode(bodyOf(hello))).toEqual(hello);
  });

  it('is read where it lies', () => {
    const body = Buffer.concat([Buffer.from('..'), bodyOf({ name: 'shop' }), Buffer.from('..')]);
    expect(decodeHello(body, 2, body.length - 2)).toMatchObject({ pid: 1, name: 'shop' });
  });

  it('ignores bytes behind the name, up to the longest hello there may be', () => {
    const body = bodyOf({ name: 'shop' });
    const longest = Buffer.concat([body, Buffer.alloc(MAX_HELLO_BYTES - body.length, 0xff)]);
    expect(decode(longest)).toEqual({ ...HELLO, name: 'shop' });
    expect(() => decode(Buffer.concat([longest, Buffer.alloc(1)]))).toThrow(badHello);
  });

  it('cuts a long name between characters', () => {
    expect(decode(bodyOf({ name: 'a'.repeat(255) })).name).toBe('a'.repeat(255));
    expect(decode(bodyOf({ name: 'a'.repeat(256) })).name).toBe('a'.repeat(255));
    expect(decode(bodyOf({ name: 'ż'.repeat(200) })).name).toBe('ż'.repeat(127));
    expect(decode(bodyOf({ name: 'a🐢'.repeat(60) })).name).toBe('a🐢'.repeat(51));
    expect(decode(bodyOf({ name: 'ab' + '🐢'.repeat(64) })).name).toBe('ab' + '🐢'.repeat(63));
  });

  it('is taken with a name that is no UTF-8: the name is for people alone', () => {
    const body = bodyOf({ name: 'a' });
    body[body.length - 1] = 0xff;
    expect(decode(body).name).toBe('\uFFFD');
  });

  it('is refused at every length at which it is cut', () => {
    const body = bodyOf({ name: 'shop' });
    for (let length = 0; length < body.length; length++) {
      expect(() => decode(body.subarray(0, length))).toThrow(badHello);
    }
  });

  it('is refused for each byte of the magic that is wrong', () => {
    for (const at of [0, 1, 2, 3]) {
      const body = bodyOf({});
      body[at]! ^= 1;
      expect(() => decode(body)).toThrow(badHello);
    }
  });

  it('is refused where its lowest version is above its highest', () => {
    expect(() => decode(bodyOf({ versionFrom: 2, versionTo: 1 }))).toThrow(badHello);
  });

  it('is refused where it takes less than the floor', () => {
    expect(() => decode(bodyOf({ maxFrameBytes: FLOOR_FRAME_BYTES - 1 }))).toThrow(badHello);
    expect(decode(bodyOf({ maxFrameBytes: FLOOR_FRAME_BYTES })).maxFrameBytes).toBe(FLOOR_FRAME_BYTES);
  });
});
