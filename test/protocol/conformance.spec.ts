import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { bytesOf, messageFrom, vectors } from '../conformance/vectors.js';
import { BinaryDialect } from '../../src/protocol/dialects/binary.js';
import { DIALECT_NAMES } from '../../src/protocol/dialects/dialect.js';
import { ERROR_CODES } from '../../src/protocol/errors.js';
import { FrameEncoder } from '../../src/protocol/frame-encoder.js';
import {
  CALL_HEAD_BYTES,
  FLAGS_OF_TYPE,
  FrameFlag,
  FrameType,
  HEADER_BYTES,
  MAX_U32,
} from '../../src/protocol/frame.js';
import {
  encodeHello,
  FLOOR_EVENTS,
  FLOOR_FRAME_BYTES,
  FLOOR_IN_FLIGHT,
  MAX_HELLO_BYTES,
  VERSION_TO,
} from '../../src/protocol/hello.js';
import { Message } from '../../src/protocol/message.js';
import { PayloadKind } from '../../src/protocol/payload-codec.js';
import { byteByByte, read } from './reading.js';

const valid = vectors.valid.map((vector) => [`${vector.name}: ${vector.says}`, vector] as const);
const invalid = vectors.invalid.map((vector) => [`${vector.name}: ${vector.says}`, vector] as const);
const skipped = vectors.skipped.map((vector) => [`${vector.name}: ${vector.says}`, vector] as const);

describe('each vector that is valid', () => {
  it.each(valid)('reads as its message, whole and byte by byte: %s', (_says, { hex, message }) => {
    const bytes = Buffer.from(hex, 'hex');
    expect(read([bytes])).toEqual({ messages: [message], code: undefined });
    expect(read(byteByByte(bytes))).toEqual({ messages: [message], code: undefined });
  });

  it.each(valid)('is what its message is written as: %s', (_says, { hex, message }) => {
    const dialect = new BinaryDialect(FLOOR_FRAME_BYTES);
    const length = dialect.encode(messageFrom(message));
    expect(Buffer.concat(dialect.take()).toString('hex')).toBe(hex);
    expect(length).toBe(hex.length / 2);
  });

  it('tells what it cost on the wire', () => {
    const costs: number[] = [];
    for (const { hex } of vectors.valid) {
      new BinaryDialect(FLOOR_FRAME_BYTES).decode(Buffer.from(hex, 'hex'), (message) =>
        costs.push(message.wireBytes),
      );
    }
    expect(costs).toEqual(vectors.valid.map(({ hex }) => hex.length / 2));
  });

  it('reads the same behind another, in one chunk', () => {
    const hexes = vectors.valid.map(({ hex }) => hex);
    const all = Buffer.from(hexes.join(''), 'hex');
    const messages = vectors.valid.map(({ message }) => message);
    expect(read([all])).toEqual({ messages, code: undefined });
    expect(read(byteByByte(all))).toEqual({ messages, code: undefined });
  });
});

describe('each vector that is invalid', () => {
  const ofConnection = invalid.filter(([, { scope }]) => scope === 'connection');
  const ofCall = invalid.filter(([, { scope }]) => scope === 'call');

  it.each(ofConnection)('ends the connection with its code: %s', (_says, { hex, code }) => {
    const bytes = Buffer.from(hex, 'hex');
    expect(read([bytes])).toEqual({ messages: [], code });
    expect(read(byteByByte(bytes))).toEqual({ messages: [], code });
  });

  it.each(ofCall)('ends the call with its code, and what follows is read: %s', (_says, { hex, code }) => {
    const bytes = Buffer.concat([Buffer.from(hex, 'hex'), bytesOf('ping')]);
    for (const { messages, code: end } of [read([bytes]), read(byteByByte(bytes))]) {
      expect(end).toBeUndefined();
      expect(messages).toMatchObject([{ fault: code }, { type: 'PING', id: 7 }]);
    }
  });
});

describe('each vector that is to be skipped', () => {
  it.each(skipped)('means nothing, and what follows is read: %s', (_says, { hex }) => {
    const bytes = Buffer.concat([Buffer.from(hex, 'hex'), bytesOf('ping')]);
    expect(read([bytes])).toEqual({ messages: [{ type: 'PING', id: 7 }], code: undefined });
    expect(read(byteByByte(bytes))).toEqual({ messages: [{ type: 'PING', id: 7 }], code: undefined });
  });
});

describe('docs/PROTOCOL.md', () => {
  const page = readFileSync(new URL('../../docs/PROTOCOL.md', import.meta.url), 'utf8');

  /** The cells of a table's rows, its heading and rule left out. */
  const tableUnder = (heading: string): string[][] => {
    const rows = page.slice(page.indexOf(heading)).split('\n\n')[0]!.trimEnd().split('\n').slice(2);
    return rows.map((row) =>
      row
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
  };

  /** Where the fields of a figure begin, by name: its line of offsets over its line of names. */
  const figureUnder = (heading: string): Map<string, number> => {
    const lines = page.slice(page.indexOf(heading)).split('```')[1]!.split('\n');
    const offsets = [...lines[1]!.matchAll(/\d+/g)].map(([offset]) => Number(offset));
    const names = lines[3]!.split('|').slice(1, -1);
    return new Map(
      names.flatMap((name, index) => (offsets[index] === undefined ? [] : [[name.trim(), offsets[index]]])),
    );
  };

  it('quotes vectors alone, each as it is', () => {
    const blocks = [...page.matchAll(/^```hex ([a-z-]+)\n([0-9a-f \n]+)\n```$/gm)];
    const quoted = Object.fromEntries(
      blocks.map(([, name = '', hex = '']) => [name, hex.replace(/\s/g, '')]),
    );
    expect(blocks.length).toBe(page.split('```hex').length - 1);
    expect(blocks.length).toBeGreaterThan(15);
    const same = vectors.valid.filter(({ name }) => name in quoted).map(({ name, hex }) => [name, hex]);
    expect(quoted).toEqual(Object.fromEntries(same));
  });

  it.each([
    ['ndjson', '\n', 10],
    ['nest-json', '', 5],
  ] as const)('quotes vectors of %s alone, each as it is', (dialect, end, count) => {
    const blocks = [...page.matchAll(new RegExp(`^\`\`\`${dialect} ([a-z-]+)\\n(.+)\\n\`\`\`$`, 'gm'))];
    expect(blocks.length).toBe(page.split(`\`\`\`${dialect}`).length - 1);
    expect(blocks.length).toBeGreaterThan(count);
    const quoted = Object.fromEntries(blocks.map(([, name = '', text = '']) => [name, text + end]));
    const { valid, accepted } = vectors[dialect];
    const same = [...valid, ...accepted].filter(({ name }) => name in quoted);
    expect(quoted).toEqual(Object.fromEntries(same.map(({ name, text }) => [name, text])));
  });

  it('names each quoted example in the sentence above it', () => {
    const quoted = [...page.matchAll(/^```(?:hex|ndjson|nest-json) ([a-z-]+)$/gm)].map(([, name]) => name!);
    expect(quoted.length).toBeGreaterThan(35);
    for (const name of quoted) {
      expect(page).toMatch(new RegExp(`^Example (\`[a-z-]+\`, )*\`${name}\``, 'm'));
    }
  });

  it('has a section for each dialect, and leads to it from where a connection opens', () => {
    for (const name of DIALECT_NAMES.filter((each) => each !== 'binary')) {
      expect(page).toMatch(new RegExp(`^### ${name}$`, 'm'));
      expect(page).toContain(`[${name}](#${name})`);
    }
  });

  it('numbers the frame types as the code does', () => {
    const rows = tableUnder('| type | name |');
    expect(Object.fromEntries(rows.map(([number, name]) => [name, Number(number)]))).toEqual(FrameType);
  });

  it('gives each type the flags that the code takes', () => {
    const flags = [...FLAGS_OF_TYPE].fill(0);
    for (const [, bit, on] of tableUnder('| flag | bit | on |')) {
      const types = on!.split(', ').filter((name) => name !== 'types not listed here');
      for (const name of types) flags[FrameType[name as keyof typeof FrameType]]! |= Number(bit);
    }
    expect(flags).toEqual(FLAGS_OF_TYPE);
  });

  it('gives the flags the bits of the code', () => {
    const bits = Object.fromEntries(
      tableUnder('| flag | bit | on |').map(([name, bit]) => [
        name!.toUpperCase().replace(' ', '_'),
        Number(bit),
      ]),
    );
    expect(bits).toEqual(FrameFlag);
  });

  it('numbers the payload kinds as the code does', () => {
    const kinds = tableUnder('| kind | bits |').map(([kind, bits]) => [kind!.toUpperCase(), Number(bits)]);
    expect(Object.fromEntries(kinds)).toEqual(PayloadKind);
  });

  it('draws a header as long as it is', () => {
    expect(page).toContain(`A frame is a header of ${HEADER_BYTES} bytes and a body.`);
  });

  it('draws the hello where its fields lie', () => {
    const at = figureUnder('### Hello');
    const encoder = new FrameEncoder();
    encoder.begin(FrameType.CLIENT_HELLO, 0, 0);
    const numbers = { chosen: 3, features: 4, maxFrameBytes: 5, maxInFlight: 6, maxEvents: 7, pid: 8 };
    encodeHello({ versionFrom: 1, versionTo: 2, ...numbers, name: 'abc' }, encoder);
    encoder.end();
    const body = Buffer.concat(encoder.take()).subarray(HEADER_BYTES);

    expect([...at.keys()]).toEqual(
      'magic from to chosen 0 features maxFrameBytes maxInFlight maxEvents pid nameBytes name'.split(' '),
    );
    expect(body.toString('latin1', at.get('magic'), at.get('from'))).toBe('NUDS');
    const bytes = ['from', 'to', 'chosen', '0', 'nameBytes'].map((field) => body[at.get(field)!]);
    expect(bytes).toEqual([1, 2, 3, 0, 3]);
    const words = ['features', 'maxFrameBytes', 'maxInFlight', 'maxEvents', 'pid'];
    expect(words.map((field) => body.readUInt32BE(at.get(field)))).toEqual([4, 5, 6, 7, 8]);
    expect(body.toString('utf8', at.get('name'))).toBe('abc');
  });

  it('draws the head of a call where its fields lie', () => {
    const at = figureUnder('### Call head');
    const message = new Message(FrameType.REQUEST, 1);
    Object.assign(message, {
      timeoutMs: 5,
      credit: 6,
      pattern: 'echo',
      metadata: { k: '' },
      payload: 'value',
    });
    const dialect = new BinaryDialect(FLOOR_FRAME_BYTES);
    dialect.encode(message);
    const body = Buffer.concat(dialect.take()).subarray(HEADER_BYTES);

    expect([...at.keys()]).toEqual(['timeoutMs', 'credit', 'patternBytes', 'metadataBytes', 'pattern']);
    expect(at.get('pattern')).toBe(CALL_HEAD_BYTES);
    expect(page).toContain(`REQUEST and EVENT begin with the same ${CALL_HEAD_BYTES} bytes`);
    expect(body.readUInt32BE(at.get('timeoutMs'))).toBe(5);
    expect(body.readUInt32BE(at.get('credit'))).toBe(6);
    expect(body.readUInt16BE(at.get('patternBytes'))).toBe(4);
    expect(body.readUInt16BE(at.get('metadataBytes'))).toBe(8);
    expect(body.toString('utf8', at.get('pattern'))).toBe('echo{"k":""}value');
  });

  it('states the limits of the code', () => {
    const number = (value: number): string => value.toLocaleString('en-US');
    expect(page.replace(/\s+/g, ' ')).toContain(
      `${FLOOR_IN_FLIGHT} requests in flight, ${FLOOR_EVENTS} events, frames of ${number(FLOOR_FRAME_BYTES)} bytes`,
    );
    expect(page.replace(/\s+/g, ' ')).toContain(`A hello body is at most ${number(MAX_HELLO_BYTES)} bytes`);
    expect(page).toMatch(new RegExp(`^# .*, version ${VERSION_TO}$`, 'm'));
    expect(MAX_U32).toBe(2 ** 32 - 1);
  });

  it('speaks of codes that there are', () => {
    const types = Object.keys(FrameType);
    const named = [...page.matchAll(/`([A-Z]+_[A-Z_]+)`/g)].map(([, name]) => name!);
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter((name) => !types.includes(name) && !Object.hasOwn(ERROR_CODES, name))).toEqual([]);
  });
});
