import { describe, expect, it } from '@jest/globals';
import { constants } from 'node:buffer';
import { RemoteError, UsageError } from '../../src/protocol/errors.js';
import {
  bytesOf,
  decodeMetadata,
  decodePayload,
  decodeText,
  EncodedPayload,
  encodeJson,
  isMetadata,
  PayloadKind,
  payloadKindOf,
} from '../../src/protocol/payload-codec.js';

const { NONE, JSON: AS_JSON, TEXT, BYTES } = PayloadKind;

const cycle: Record<string, unknown> = {};
cycle['self'] = cycle;

const refuses = (): never => {
  throw new Error('refused');
};
const traps = Object.fromEntries(
  ['get', 'has', 'ownKeys', 'getPrototypeOf', 'getOwnPropertyDescriptor'].map((trap) => [trap, refuses]),
);
const revoked = Proxy.revocable({}, {});
revoked.revoke();

/** What JSON can't hold. */
const unserializable: [string, unknown][] = [
  ['a function', () => 1],
  ['a symbol', Symbol('s')],
  ['a BigInt', 1n],
  ['a BigInt inside', { deep: [1n] }],
  ['a cycle', cycle],
  ['a toJSON that throws', { toJSON: refuses }],
  ['a toJSON that gives nothing', { toJSON: () => undefined }],
  [
    'a getter that throws',
    {
      get value() {
        return refuses();
      },
    },
  ],
  ['a Proxy whose every trap throws', new Proxy({}, traps)],
  ['a Proxy of bytes whose every trap throws', new Proxy(new Uint8Array(4), traps)],
  ['a Proxy that was revoked', revoked.proxy],
  ['what is deeper than the stack', JSON.parse('['.repeat(200_000) + ']'.repeat(200_000))],
];

describe('the kind of a value', () => {
  it.each<[string, unknown, number]>([
    ['undefined', undefined, NONE],
    ['null', null, AS_JSON],
    ['a number', 1, AS_JSON],
    ['an object', {}, AS_JSON],
    ['a string', 'żółw 🐢', TEXT],
    ['an empty string', '', TEXT],
    ['a string that begins with a byte order mark', '\uFEFFa', TEXT],
    ['a string with a lone surrogate', 'a\ud800', AS_JSON],
    ['a Buffer', Buffer.from('a'), BYTES],
    ['a Uint8Array', new Uint8Array(1), BYTES],
    ['an empty Buffer', Buffer.alloc(0), BYTES],
    ['an array of another width', new Uint16Array(1), AS_JSON],
    ['an ArrayBuffer', new ArrayBuffer(1), AS_JSON],
    ['bytes inside of an object', { bytes: Buffer.from('a') }, AS_JSON],
    ['what only looks like bytes', Object.create(Uint8Array.prototype), AS_JSON],
  ])('of %s', (_name, value, kind) => {
    expect(payloadKindOf(value)).toBe(kind);
  });

  it.each(unserializable)('can be told of %s', (_name, value) => {
    expect(payloadKindOf(value)).toBe(AS_JSON);
  });
});

describe('writing JSON', () => {
  it.each(unserializable)('refuses %s as the fault of the caller', (_name, value) => {
    const act = (): unknown => encodeJson(value);
    expect(act).toThrow(UsageError);
    expect(act).toThrow(expect.objectContaining({ code: 'UNSERIALIZABLE_PAYLOAD' }));
  });

  it('keeps what the value threw as the cause', () => {
    expect(() => encodeJson({ toJSON: refuses })).toThrow(
      expect.objectContaining({ cause: expect.objectContaining({ message: 'refused' }) }),
    );
  });

  it('is what JSON.stringify gives', () => {
    expect(encodeJson({ a: [1, undefined, new Date(0)], b: undefined })).toBe(
      '{"a":[1,null,"1970-01-01T00:00:00.000Z"]}',
    );
  });
});

describe('reading text', () => {
  const decode = (bytes: Buffer): string => decodeText(bytes, 0, bytes.length);

  it.each(['', 'żółw 🐢', '\uFEFFa', '\0', 'a\uFFFDb', '\uFFFD'])('gives %j as it was written', (value) => {
    expect(decode(Buffer.from(value))).toBe(value);
  });

  it.each(['c328', 'ff', 'e282', 'eda080', 'c0af', 'f4908080', 'efbfbdff'])('refuses the bytes %s', (hex) => {
    const act = (): string => decode(Buffer.from(hex, 'hex'));
    expect(act).toThrow(RemoteError);
    expect(act).toThrow(expect.objectContaining({ code: 'BAD_PAYLOAD' }));
  });

  it('reads its own part of the bytes alone', () => {
    const bytes = Buffer.concat([Buffer.from([0xff]), Buffer.from('a\uFFFD'), Buffer.from([0xff])]);
    expect(decodeText(bytes, 1, bytes.length - 1)).toBe('a\uFFFD');
  });

  it('refuses more than a string can hold, with a code too', () => {
    // memory that is never touched, so it costs nothing
    const bytes = Buffer.alloc(constants.MAX_STRING_LENGTH + 1);
    expect(() => decode(bytes)).toThrow(expect.objectContaining({ code: 'BAD_PAYLOAD' }));
  });
});

describe('reading a payload', () => {
  const around = Buffer.from('<[1,"é"]>');

  it('reads its own part of the bytes alone', () => {
    expect(decodePayload(AS_JSON, around, 1, around.length - 1, false)).toEqual([1, 'é']);
    expect(decodePayload(TEXT, around, 1, around.length - 1, false)).toBe('[1,"é"]');
    expect(decodePayload(BYTES, around, 1, 3, false)).toEqual(Buffer.from('[1'));
  });

  it('copies bytes out of a chunk that belongs to the socket', () => {
    const chunk = Buffer.from('abcd');
    const payload = decodePayload(BYTES, chunk, 1, 3, false);
    chunk.fill('x');
    expect(payload).toEqual(Buffer.from('bc'));
  });

  it('hands bytes on as they lie where they belong to the frame alone', () => {
    const body = Buffer.from('abcd');
    const payload = decodePayload(BYTES, body, 1, 3, true);
    expect(payload).toBeInstanceOf(Buffer);
    body.fill('x');
    expect(payload).toEqual(Buffer.from('xx'));
  });

  it.each(['', '{', 'undefined', "{'a':1}", '1 2', '\uFEFF1', '[1,]', 'NaN'])(
    'refuses the JSON %j',
    (text) => {
      const bytes = Buffer.from(text);
      expect(() => decodePayload(AS_JSON, bytes, 0, bytes.length, false)).toThrow(
        expect.objectContaining({ code: 'BAD_PAYLOAD' }),
      );
    },
  );

  it('takes a key __proto__ as a key like any other', () => {
    const bytes = Buffer.from('{"__proto__":{"isAdmin":true}}');
    const value = decodePayload(AS_JSON, bytes, 0, bytes.length, false);
    expect(Object.getPrototypeOf(value)).toBe(Object.getPrototypeOf({}));
    expect(value).not.toHaveProperty('isAdmin');
    expect(Object.keys(value as object)).toEqual(['__proto__']);
  });
});

describe('metadata', () => {
  it.each<[string, unknown, boolean]>([
    ['an empty object', {}, true],
    ['strings', { a: 'b', '': '' }, true],
    ['an object without a prototype', Object.assign(Object.create(null), { a: 'b' }), true],
    ['a key __proto__', JSON.parse('{"__proto__":"a"}'), true],
    ['a number inside', { a: 1 }, false],
    ['null inside', { a: null }, false],
    ['an object inside', { a: {} }, false],
    ['an array', ['a'], false],
    ['an empty array', [], false],
    ['null', null, false],
    ['a string', 'a', false],
    ['undefined', undefined, false],
  ])('of %s: %j is %s', (_name, value, expected) => {
    expect(isMetadata(value)).toBe(expected);
  });

  const decode = (text: string | Buffer): unknown => {
    const bytes = Buffer.concat([Buffer.from('<'), Buffer.from(text), Buffer.from('>')]);
    return decodeMetadata(bytes, 1, bytes.length - 1);
  };

  it('is read as the object it is', () => {
    expect(decode('{"a":"b","c":""}')).toEqual({ a: 'b', c: '' });
  });

  it.each(['', '{', '[]', 'null', '"a"', '{"a":1}', '{"a":["b"]}', Buffer.from([0x7b, 0xff, 0x7d])])(
    'ends the call where it is %j',
    (text) => {
      expect(() => decode(text)).toThrow(RemoteError);
      expect(() => decode(text)).toThrow(expect.objectContaining({ code: 'BAD_METADATA' }));
    },
  );
});

describe('the memory of bytes', () => {
  it('is what the engine says, and not what a subclass says of its length', () => {
    class Liar extends Uint8Array {
      override get length(): number {
        return 1_000;
      }
      override get byteLength(): number {
        return 1_000;
      }
      override get byteOffset(): number {
        return 0;
      }
    }
    const memory = new Uint8Array([9, 1, 2, 9]).buffer;
    expect(bytesOf(new Liar(memory, 1, 2))).toEqual(Buffer.from([1, 2]));
  });

  it('is handed on without a copy', () => {
    const value = new Uint8Array([1, 2]);
    const bytes = bytesOf(value);
    value.fill(7);
    expect(bytes).toEqual(Buffer.from([7, 7]));
  });

  it('is refused where it was transferred to somebody else', () => {
    const value = new Uint8Array([1, 2]);
    structuredClone(value.buffer, { transfer: [value.buffer] });
    expect(() => bytesOf(value)).toThrow(expect.objectContaining({ code: 'UNSERIALIZABLE_PAYLOAD' }));
    expect(() => new EncodedPayload(value)).toThrow(UsageError);
  });
});

describe('a payload that was encoded ahead', () => {
  it.each<[string, unknown, number, string | Uint8Array, number]>([
    ['undefined', undefined, NONE, '', 0],
    ['text', 'żółw', TEXT, 'żółw', 7],
    ['an object', { a: 'ż' }, AS_JSON, '{"a":"ż"}', 10],
    ['a lone surrogate', '\ud800', AS_JSON, '"\\ud800"', 8],
    ['bytes', new Uint8Array([1, 2]), BYTES, Buffer.from([1, 2]), 2],
  ])('knows the length of %s', (_name, value, kind, body, byteLength) => {
    expect(new EncodedPayload(value)).toMatchObject({ kind, body, byteLength });
  });

  it('is not changed with its value', () => {
    const bytes = Buffer.from('ab');
    const object = { a: 1 };
    const encoded = [new EncodedPayload(bytes), new EncodedPayload(object)];
    bytes.fill('x');
    object.a = 2;
    expect(encoded.map(({ body }) => body)).toEqual([Buffer.from('ab'), '{"a":1}']);
  });

  it.each(unserializable)('is not to be made of %s', (_name, value) => {
    expect(() => new EncodedPayload(value)).toThrow(
      expect.objectContaining({ code: 'UNSERIALIZABLE_PAYLOAD' }),
    );
  });

  it.each([...unserializable, ['undefined', undefined] as const, ['null', null] as const])(
    'is not confused with %s',
    (_name, value) => {
      expect(EncodedPayload.is(value)).toBe(false);
      expect(EncodedPayload.is(new EncodedPayload(1))).toBe(true);
    },
  );
});
