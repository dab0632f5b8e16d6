import { describe, expect, it } from '@jest/globals';
import {
  messageFrom,
  textBytesOf,
  textMessageFrom,
  type TextVector,
  type TextVectors,
  vectors,
} from '../conformance/vectors.js';
import type { Dialect } from '../../src/protocol/dialects/dialect.js';
import { NdjsonDialect } from '../../src/protocol/dialects/ndjson.js';
import { NestJsonDialect } from '../../src/protocol/dialects/nest-json.js';
import { RawClientDialect, RawDialect } from '../../src/protocol/dialects/raw.js';
import { errorOf } from '../../src/protocol/errors.js';
import { byteByByte, MIB, read, readText } from './reading.js';

interface TextCase {
  readonly name: 'ndjson' | 'nest-json';
  /** The end that reads what the other says; undefined where it is not ours to play. */
  readonly readerOf: (from: TextVector['from'], maxFrameBytes: number) => Dialect | undefined;
  readonly writerOf: (from: TextVector['from']) => Dialect | undefined;
  /** What stands before and behind what is broken: a vector that is sound. */
  readonly sound: Readonly<Record<TextVector['from'], string>>;
}

const other = (from: TextVector['from']): TextVector['from'] => (from === 'client' ? 'server' : 'client');

const CASES: readonly TextCase[] = [
  {
    name: 'ndjson',
    readerOf: (from, maxFrameBytes) => new NdjsonDialect(maxFrameBytes, other(from)),
    writerOf: (from) => new NdjsonDialect(MIB, from),
    sound: { client: 'ndjson-ping', server: 'ndjson-pong' },
  },
  {
    name: 'nest-json',
    readerOf: (from, maxFrameBytes) => (from === 'client' ? new NestJsonDialect(maxFrameBytes) : undefined),
    writerOf: (from) => (from === 'server' ? new NestJsonDialect(MIB) : undefined),
    sound: { client: 'nest-json-event', server: 'nest-json-next' },
  },
];

const entitled = <Each extends TextVector>(list: readonly Each[]): (readonly [string, Each])[] =>
  list.map((vector) => [`${vector.name}: ${vector.says}`, vector]);

/** Whether this end could have given the id that an answer names. */
const isOurs = (id: unknown): boolean => typeof id === 'number' && Number.isInteger(id) && id > 0;

const isReadable =
  ({ readerOf }: TextCase) =>
  ({ from, message }: TextVectors['valid'][number]): boolean =>
    readerOf(from, MIB) !== undefined && (from === 'client' || isOurs(message.id));

describe.each(CASES)('each vector of $name', (dialect) => {
  const { name, readerOf, writerOf } = dialect;
  const { valid, accepted, invalid } = vectors[name];
  const sound = (from: TextVector['from']): TextVectors['valid'][number] =>
    valid.find((vector) => vector.name === dialect.sound[from])!;

  it.each(entitled([...valid, ...accepted].filter(isReadable(dialect))))(
    'reads as its message, whole and byte by byte: %s',
    (_says, vector) => {
      const bytes = textBytesOf(vector);
      const expected = { messages: [vector.message], code: undefined };
      expect(readText([bytes], readerOf(vector.from, MIB)!)).toEqual(expected);
      expect(readText(byteByByte(bytes), readerOf(vector.from, MIB)!)).toEqual(expected);
    },
  );

  it.each(entitled(valid.filter(({ from }) => writerOf(from) !== undefined)))(
    'is what its message is written as: %s',
    (_says, vector) => {
      const writer = writerOf(vector.from)!;
      const length = writer.encode(textMessageFrom(vector.message));
      expect(writer).toMatchObject({ pendingBytes: length, pendingFrames: 1 });
      expect(Buffer.concat(writer.take()).toString()).toBe(vector.text);
      expect(length).toBe(textBytesOf(vector).length);
      expect(writer).toMatchObject({ pendingBytes: 0, pendingFrames: 0 });
    },
  );

  const ends = (['client', 'server'] as const).filter((from) => readerOf(from, MIB) !== undefined);
  it.each(ends)('reads the same behind another, in one chunk, from the %s', (from) => {
    const readable = valid.filter(isReadable(dialect)).filter((vector) => vector.from === from);
    const all = Buffer.concat(readable.map(textBytesOf));
    const expected = { messages: readable.map(({ message }) => message), code: undefined };
    expect(readable.length).toBeGreaterThan(5);
    expect(readText([all], readerOf(from, MIB)!)).toEqual(expected);
    expect(readText(byteByByte(all), readerOf(from, MIB)!)).toEqual(expected);
  });

  it.each(entitled(invalid.filter(({ scope }) => scope === 'connection')))(
    'ends the connection with its code, first of all and later: %s',
    (_says, vector) => {
      const { from, code, maxFrameBytes = MIB } = vector;
      const bytes = textBytesOf(vector);
      const before = sound(from);
      const later = Buffer.concat([textBytesOf(before), bytes]);
      for (const pieces of [[bytes], byteByByte(bytes)])
        expect(readText(pieces, readerOf(from, maxFrameBytes)!)).toEqual({ messages: [], code });
      for (const pieces of [[later], byteByByte(later)])
        expect(readText(pieces, readerOf(from, maxFrameBytes)!)).toEqual({
          messages: [before.message],
          code,
        });
    },
  );

  it.each(entitled(invalid.filter(({ scope }) => scope === 'call')))(
    'ends the call with its code, and what follows is read: %s',
    (_says, vector) => {
      const { from, code, id, maxFrameBytes = MIB } = vector;
      const behind = sound(from);
      const bytes = Buffer.concat([textBytesOf(vector), textBytesOf(behind)]);
      for (const pieces of [[bytes], byteByByte(bytes)]) {
        const { messages, code: end } = readText(pieces, readerOf(from, maxFrameBytes)!);
        expect(end).toBeUndefined();
        expect(messages).toEqual([expect.objectContaining({ id, fault: code }), behind.message]);
      }
    },
  );
});

describe('each vector of raw', () => {
  const { valid } = vectors.raw;
  const hexOf = (messages: readonly { payload?: unknown }[]): string =>
    messages.map(({ payload }) => (payload as { hex?: string } | undefined)?.hex ?? '').join('');

  it.each(entitled(valid.filter(({ from }) => from === 'client')))(
    'is one chunk, which reads as its message: %s',
    (_says, { hex, message }) => {
      const { messages, code } = read([Buffer.from(hex, 'hex')], new RawDialect('echo'));
      expect(code).toBeUndefined();
      expect(messages).toEqual([{ ...message, credit: Infinity }]);
    },
  );

  it.each(entitled(valid))('is what its message is written as: %s', (_says, { hex, from, message }) => {
    const writer = from === 'client' ? new RawClientDialect() : new RawDialect('echo');
    expect(writer.encode(messageFrom(message))).toBe(hex.length / 2);
    expect(writer.pendingBytes).toBe(hex.length / 2);
    expect(Buffer.concat(writer.take()).toString('hex')).toBe(hex);
    expect(writer).toMatchObject({ pendingBytes: 0, pendingFrames: 0 });
  });

  it('of a server reads as values of the one call, and the end of the input as its end', () => {
    const client = new RawClientDialect();
    client.encode(messageFrom({ ...valid[0]!.message, id: 9 }));
    const chunks = valid.filter(({ from, hex }) => from === 'server' && hex !== '');
    const { messages, code } = read(
      chunks.map(({ hex }) => Buffer.from(hex, 'hex')),
      client,
    );
    expect(code).toBeUndefined();
    expect(messages.map(({ type, id }) => `${type} ${id}`)).toEqual([
      ...chunks.map(() => 'NEXT 9'),
      'COMPLETE 9',
    ]);
    expect(hexOf(messages)).toBe(chunks.map(({ hex }) => hex).join(''));
  });

  it('of a server that speaks before it was asked ends the connection', () => {
    expect(read([Buffer.from('early')], new RawClientDialect())).toEqual({
      messages: [],
      code: 'UNEXPECTED_FRAME',
    });
  });
});

describe('the last word', () => {
  const error = errorOf('FRAME_TOO_LARGE', 'too long');
  const said = (dialect: Dialect): string => {
    dialect.encodeLastWord(error);
    return Buffer.concat(dialect.take()).toString();
  };

  it('of ndjson is a line without an id, which a client hears as the error that it names', () => {
    const { text } = vectors.ndjson.valid.find(({ name }) => name === 'ndjson-last')!;
    expect(said(new NdjsonDialect(MIB, 'server'))).toBe(text);
    expect(() => new NdjsonDialect(MIB, 'client').decode(Buffer.from(text!), () => undefined)).toThrow(
      expect.objectContaining({ code: 'FRAME_TOO_LARGE', message: 'too long' }),
    );
  });

  it('of nest-json is a packet without an id', () => {
    expect(said(new NestJsonDialect(MIB))).toBe(
      '73#{"err":{"code":"FRAME_TOO_LARGE","message":"too long"},"isDisposed":true}',
    );
  });

  it('of raw is nothing', () => {
    expect(said(new RawDialect('echo'))).toBe('');
  });
});

describe('what has no form', () => {
  it.each(['GOAWAY', 'CREDIT'] as const)('is not written in any dialect but binary: %s', (type) => {
    const dialects = [
      new NdjsonDialect(MIB, 'server'),
      new NdjsonDialect(MIB, 'client'),
      new NestJsonDialect(MIB),
      new RawDialect('echo'),
      new RawClientDialect(),
    ];
    for (const dialect of dialects) {
      expect(dialect.encode(messageFrom({ type, id: 1 }))).toBe(0);
      expect(dialect).toMatchObject({ pendingBytes: 0, pendingFrames: 0 });
      expect(dialect.take()).toEqual([]);
    }
  });

  it('is a packet of the application, unless the dialect says that it has packets', () => {
    const named = [new NdjsonDialect(MIB, 'server'), new NestJsonDialect(MIB), new RawDialect('echo')];
    expect(named.map(({ name, hasPackets }) => [name, hasPackets])).toEqual([
      ['ndjson', false],
      ['nest-json', true],
      ['raw', false],
    ]);
    const packet = messageFrom({ type: 'RESPONSE', id: 1, envelope: true });
    packet.payload = { any: 'form' };
    const dialect = new NestJsonDialect(MIB);
    dialect.encode(packet);
    expect(Buffer.concat(dialect.take()).toString()).toBe('14#{"any":"form"}');
  });

  it('is a RESPONSE without a value: in ndjson the call is complete', () => {
    const dialect = new NdjsonDialect(MIB, 'server');
    dialect.encode(textMessageFrom({ type: 'RESPONSE', id: 9, payload: { kind: 'none' } }));
    expect(Buffer.concat(dialect.take()).toString()).toBe(
      vectors.ndjson.valid.find(({ name }) => name === 'ndjson-response-none')!.text,
    );
  });
});
