import fc from 'fast-check';
import { bytesOf, type TextMessage } from '../conformance/vectors.js';
import { BinaryDialect } from '../../src/protocol/dialects/binary.js';
import type { Dialect } from '../../src/protocol/dialects/dialect.js';
import { NdjsonDialect } from '../../src/protocol/dialects/ndjson.js';
import { NestJsonDialect } from '../../src/protocol/dialects/nest-json.js';
import { RawClientDialect, RawDialect } from '../../src/protocol/dialects/raw.js';
import { ERROR_CODES, ProtocolError, UdsError } from '../../src/protocol/errors.js';
import { FrameType, MAX_U32 } from '../../src/protocol/frame.js';
import { Message } from '../../src/protocol/message.js';
import { brokenText, bytes, conversation, json, metadata, payload, text, wireError } from './arbitraries.js';
import { MIB, type Reading } from './reading.js';

type Conversation = fc.Arbitrary<readonly Message[]>;

/** One end of a dialect, which reads what the other says: what every end has to hold. */
export interface DialectCase {
  readonly name: string;
  /** A fresh end, ready to read. */
  readonly reader: (maxFrameBytes: number) => Dialect;
  /** The other end; undefined where it is Nest's own (nest-framing.spec.ts). */
  readonly writer: (() => Dialect) | undefined;
  readonly write: (messages: readonly Message[]) => Buffer;
  /** What the other end may say. */
  readonly said: Conversation;
  /** Bytes that are framed well enough to get past the framing. */
  readonly framed: fc.Arbitrary<Buffer>;
  /** What a reading means, free of how it was cut. */
  readonly meaning: (reading: Reading<TextMessage>) => unknown;
  /** With what a connection may end, and a call alone. */
  readonly codes: readonly string[];
  readonly faults: readonly string[];
  readonly thrown: typeof UdsError;
}

const made = (type: number, id: number, fields: Partial<Message>): Message =>
  Object.assign(new Message(type, id), fields);
const many = (one: fc.Arbitrary<Message>): Conversation => fc.array(one, { maxLength: 12 });
const u32 = fc.oneof(fc.nat(300), fc.integer({ min: 1, max: MAX_U32 }));
const ourId = u32.map((id) => id || 1);
/** -0 is 0 in JSON. */
const number = fc.double({ noDefaultInfinity: true, noNaN: true }).map((value) => (value === 0 ? 0 : value));
const peerId = fc.oneof(
  ourId,
  number,
  text.filter(({ length }) => length <= 256),
);
const value = payload.filter((each) => each !== undefined);

const callFields = fc.record({ payload, metadata, pattern: text, timeoutMs: fc.oneof(fc.constant(0), u32) });
const fromNdjsonClient = many(
  fc.oneof(
    {
      weight: 3,
      arbitrary: fc
        .tuple(peerId, callFields)
        .map(([id, fields]) => made(FrameType.REQUEST, 0, { ...fields, peerId: id })),
    },
    { weight: 2, arbitrary: callFields.map((fields) => made(FrameType.EVENT, 0, fields)) },
    peerId.map((id) => made(FrameType.CANCEL, 0, { peerId: id })),
    peerId.map((id) => made(FrameType.PING, 0, { peerId: id })),
  ),
);
const fromNdjsonServer = many(
  fc.oneof(
    fc
      .tuple(ourId, fc.constantFrom('RESPONSE', 'NEXT', 'ERROR'), value)
      .map(([id, type, given]) => made(FrameType[type as 'NEXT'], id, { payload: given })),
    fc
      .tuple(ourId, wireError)
      .map(([id, error]) => made(FrameType.ERROR, id, { payload: error, isTransportError: true })),
    fc
      .tuple(ourId, fc.constantFrom('COMPLETE', 'PONG'))
      .map(([id, type]) => made(FrameType[type as 'PONG'], id, {})),
  ),
);
/** What has a JSON text, or no value. */
const jsonValue = fc.oneof(fc.constant(undefined), text, brokenText, json);
const fromNestClient = many(
  fc.tuple(fc.option(text, { nil: undefined }), jsonValue, metadata, text).map(([id, given, each, pattern]) =>
    made(id === undefined ? FrameType.EVENT : FrameType.REQUEST, 0, {
      payload: given,
      metadata: each,
      pattern,
      peerId: id,
    }),
  ),
);

const KEYS =
  'id pattern data dataBytes metadata timeoutMs cancel ping response responseBytes next nextBytes complete error errorBytes transport pong err isDisposed'.split(
    ' ',
  );
const odd = fc.oneof(
  json,
  text,
  fc.constantFrom<unknown>(
    1,
    true,
    null,
    {},
    { a: 'b' },
    'AA==',
    'echo',
    { code: 'NO_HANDLER', message: 'none' },
    -1,
    1.5,
  ),
);
/** Objects that may say anything. */
const anyObject = fc
  .dictionary(fc.constantFrom(...KEYS), odd, { maxKeys: 6 })
  .map((each) => JSON.stringify(each));
const anyLines = fc
  .array(
    fc.tuple(
      fc.oneof({ weight: 5, arbitrary: anyObject }, text),
      fc.constantFrom('\n', '\n', '\r\n', '\n\n', ' '),
    ),
  )
  .map((lines) => Buffer.from(lines.flat().join('')));
const anyPackets = fc
  .array(fc.tuple(fc.oneof({ weight: 5, arbitrary: anyObject }, text), fc.constantFrom(0, 0, 0, 0, 0, 1, -1)))
  .map((packets) => Buffer.from(packets.map(([each, off]) => `${each.length + off}#${each}`).join('')));
const anyBytes = bytes.map((each) => Buffer.from(each));

/** Raw bytes have no messages: how they are cut means nothing. */
function joined({ messages, code }: Reading<TextMessage>): unknown {
  const hexOf = ({ payload: each }: TextMessage): string => (each?.kind === 'bytes' ? each.hex : '');
  const told = messages.filter((each) => each.type === 'COMPLETE' || hexOf(each) !== '');
  return { code, kinds: [...new Set(told.map(({ type }) => type))], hex: told.map(hexOf).join('') };
}
const rawSaid = (type: number): fc.Arbitrary<Message[]> =>
  fc.array(
    bytes.map((each) => made(type, 1, { payload: each })),
    { maxLength: 12 },
  );

const askedRawClient = (): RawClientDialect => {
  const dialect = new RawClientDialect();
  dialect.encode(new Message(FrameType.REQUEST, 1));
  dialect.take();
  return dialect;
};

const TEXT_ENDS = ['BAD_FRAME', 'FRAME_TOO_LARGE', 'FRAME_CUT'];
const FAULTS = ['BAD_PAYLOAD', 'BAD_METADATA'];
const packetOf = ({ pattern, payload: data, peerId: id, metadata: each }: Message): string => {
  const packet = JSON.stringify({ pattern, data, metadata: each, id });
  return `${packet.length}#${packet}`;
};

const ndjson = (role: 'client' | 'server') => (): Dialect => new NdjsonDialect(16 * MIB, role);

/** One that has heard that the other takes long frames. */
function greetedBinary(): Dialect {
  const dialect = new BinaryDialect(16 * MIB);
  dialect.decode(bytesOf('client-hello'), () => undefined);
  return dialect;
}

/** A writer of ours. */
const by = (writer: () => Dialect): Pick<DialectCase, 'writer' | 'write'> => ({
  writer,
  write: (messages) => {
    const dialect = writer();
    for (const each of messages) dialect.encode(each);
    return Buffer.concat(dialect.take());
  },
});

const COMMON = { meaning: (reading: Reading<TextMessage>): unknown => reading, thrown: ProtocolError };

export const DIALECT_CASES: readonly DialectCase[] = [
  {
    ...COMMON,
    ...by(greetedBinary),
    name: 'binary, either end',
    reader: (limit) => new BinaryDialect(limit),
    said: conversation,
    framed: anyBytes,
    codes: [...TEXT_ENDS, 'UNKNOWN_TYPE', 'BAD_HELLO'],
    faults: FAULTS,
  },
  {
    ...COMMON,
    ...by(ndjson('client')),
    name: 'ndjson, the end of a server',
    reader: (limit) => new NdjsonDialect(limit, 'server'),
    said: fromNdjsonClient,
    framed: anyLines,
    codes: TEXT_ENDS,
    faults: FAULTS,
  },
  {
    ...COMMON,
    ...by(ndjson('server')),
    name: 'ndjson, the end of a client',
    reader: (limit) => new NdjsonDialect(limit, 'client'),
    said: fromNdjsonServer,
    framed: anyLines,
    // a server says why it ends the connection, with any code
    codes: Object.keys(ERROR_CODES),
    faults: FAULTS,
    thrown: UdsError,
  },
  {
    ...COMMON,
    name: 'nest-json, the end of a server',
    reader: (limit) => new NestJsonDialect(limit),
    writer: undefined,
    write: (messages) => Buffer.from(messages.map(packetOf).join('')),
    said: fromNestClient,
    framed: anyPackets,
    codes: TEXT_ENDS,
    faults: ['BAD_METADATA'],
  },
  {
    ...COMMON,
    ...by(() => new RawClientDialect()),
    name: 'raw, the end of a server',
    reader: () => new RawDialect('echo'),
    said: rawSaid(FrameType.REQUEST),
    framed: anyBytes,
    meaning: joined,
    codes: [],
    faults: [],
  },
  {
    ...COMMON,
    ...by(() => new RawDialect('echo')),
    name: 'raw, the end of a client',
    reader: askedRawClient,
    said: rawSaid(FrameType.NEXT).map((values) => [...values, new Message(FrameType.COMPLETE, 1)]),
    framed: anyBytes,
    meaning: joined,
    codes: [],
    faults: [],
  },
];
