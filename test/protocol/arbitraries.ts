import fc from 'fast-check';
import { FrameType, MAX_U32 } from '../../src/protocol/frame.js';
import type { Hello } from '../../src/protocol/hello.js';
import { Message } from '../../src/protocol/message.js';
import type { Metadata } from '../../src/protocol/payload-codec.js';

const u8 = fc.nat(255);
const u32 = fc.oneof(fc.nat(300), fc.integer({ min: 0, max: MAX_U32 }), fc.constant(MAX_U32));
const id = fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: MAX_U32 }));

/** Text of every plane, with byte order marks and replacement characters. */
export const text = fc.oneof(
  fc.string(),
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.constantFrom('\uFEFF', '\uFFFD', '\u2028', '\0', 'é', '🐢') }),
);

/** Text with half a surrogate pair in it. */
export const brokenText = fc
  .tuple(text, fc.integer({ min: 0xd800, max: 0xdfff }), text)
  .map(([before, half, after]) => before + String.fromCharCode(half) + after)
  .filter((value) => !value.isWellFormed());

/** As JSON.parse gives it, so that writing and reading it changes nothing: no -0, no undefined. */
export const json = fc
  .jsonValue({ stringUnit: 'binary' })
  .map((value): unknown => JSON.parse(JSON.stringify(value)));

/** Around the sizes at which the encoder changes its ways: a body beside the slab, a slab's end, the u16. */
const edge = fc
  .tuple(fc.constantFrom(8_192, 65_535, 65_536, 65_514, 21_845, 2_730), fc.integer({ min: -40, max: 40 }))
  .map(([size, off]) => size + off);
export const size = fc.oneof({ weight: 9, arbitrary: fc.nat(200) }, { weight: 1, arbitrary: edge });

export const bytes = fc.oneof(
  fc.uint8Array().map((array) => Buffer.from(array)),
  fc.tuple(size, u8).map(([length, fill]) => Buffer.alloc(length, fill)),
);

export const payload = fc.oneof(
  fc.constant(undefined),
  text,
  brokenText,
  bytes,
  json,
  fc.tuple(size, fc.constantFrom('a', 'é', '€', '🐢')).map(([length, unit]) => unit.repeat(length)),
);

export const metadata: fc.Arbitrary<Metadata | undefined> = fc.option(
  fc
    .array(fc.tuple(fc.oneof(text, fc.constantFrom('__proto__', 'toString', '')), text), { maxLength: 5 })
    .map((entries) => Object.fromEntries(entries)),
  { nil: undefined },
);

const hello: fc.Arbitrary<Hello> = fc.record({
  versionFrom: fc.nat(9),
  versionTo: fc.integer({ min: 9, max: 255 }),
  chosen: u8,
  features: u32,
  maxFrameBytes: fc.integer({ min: 16 * 1024 ** 2, max: MAX_U32 }),
  maxInFlight: u32,
  maxEvents: u32,
  pid: u32,
  name: text.filter((name) => Buffer.byteLength(name) <= 255),
});

export const wireError = fc.record({ code: text, message: text });

/** Why an end leaves, where it says so. */
const reason = fc.option(wireError, { nil: undefined });

type Fields = Partial<Omit<Message, 'type' | 'id'>>;

const messageOf = (
  type: number,
  ids: fc.Arbitrary<number>,
  fields: fc.Arbitrary<Fields>,
): fc.Arbitrary<Message> =>
  fc.tuple(ids, fields).map(([number, values]) => Object.assign(new Message(type, number), values));

const none = fc.constant(0);
const nothing = fc.constant({});
const isEnveloped = fc.boolean();

const call = (credit: fc.Arbitrary<number>): fc.Arbitrary<Fields> =>
  fc
    .record({ payload, metadata, isEnveloped, timeoutMs: u32, credit, pattern: text })
    .map((fields) => (fields.isEnveloped ? { ...fields, pattern: '' } : fields));

const answer = (type: number): fc.Arbitrary<Message> =>
  messageOf(type, id, fc.record({ payload, isEnveloped }));

/** One message of any type but the hellos. */
export const message: fc.Arbitrary<Message> = fc.oneof(
  { weight: 3, arbitrary: messageOf(FrameType.REQUEST, id, call(u32)) },
  { weight: 2, arbitrary: messageOf(FrameType.EVENT, none, call(none)) },
  answer(FrameType.RESPONSE),
  answer(FrameType.NEXT),
  answer(FrameType.ERROR),
  messageOf(
    FrameType.ERROR,
    id,
    fc.record({ payload: wireError, isTransportError: fc.constant(true), isEnveloped }),
  ),
  messageOf(FrameType.COMPLETE, id, nothing),
  messageOf(FrameType.COMPLETE, id, fc.record({ payload, isEnveloped: fc.constant(true) })),
  messageOf(FrameType.CANCEL, u32, nothing),
  messageOf(FrameType.CREDIT, u32, fc.record({ credit: u32 })),
  messageOf(FrameType.PING, u32, nothing),
  messageOf(FrameType.PONG, u32, nothing),
  messageOf(FrameType.GOAWAY, none, fc.record({ payload: reason })),
  messageOf(FrameType.GOAWAY, u32, fc.record({ payload: reason, isFinal: fc.constant(true) })),
);

/** A message that opens a connection: one of the hellos, that takes all frames that are made here. */
export const opening: fc.Arbitrary<Message> = messageOf(FrameType.CLIENT_HELLO, none, fc.record({ hello }));

/** All that one end says on a connection. */
export const conversation = fc
  .tuple(opening, fc.array(message, { maxLength: 20 }))
  .map(([first, rest]) => [first, ...rest]);

const change = fc.tuple(
  fc.constantFrom('set', 'flip', 'cut', 'insert', 'double'),
  fc.nat(),
  fc.uint8Array({ maxLength: 12 }),
);

/** A stream with some of its bytes changed, dropped, doubled or put in. */
export const damaged = (streams: fc.Arbitrary<Buffer>): fc.Arbitrary<Buffer> =>
  fc.tuple(streams, fc.array(change, { maxLength: 4 })).map(([stream, changes]) => {
    let result = stream;
    for (const [change, where, values] of changes) {
      const at = where % (result.length + 1);
      const [before, after] = [result.subarray(0, at), result.subarray(at)];
      if (change === 'set') result = Buffer.concat([before, values, after.subarray(values.length)]);
      else if (change === 'cut') result = Buffer.concat([before, after.subarray(values.length)]);
      else if (change === 'insert') result = Buffer.concat([before, values, after]);
      else if (change === 'double') result = Buffer.concat([before, before.subarray(-values.length), after]);
      else if (at < result.length) {
        result = Buffer.from(result);
        result[at]! ^= 1 << (values.length % 8);
      }
    }
    return result;
  });
