import { describe, expect, it } from '@jest/globals';
import { bytesOf, textBytesOf, vectors } from '../conformance/vectors.js';
import { type DialectMenuSettings, DialectMenu } from '../../src/protocol/dialects/detect.js';
import { DIALECT_NAMES, type DialectName } from '../../src/protocol/dialects/dialect.js';
import { MIB } from './reading.js';

const BYTES = Array.from({ length: 256 }, (_, byte) => byte);

const menu = (settings: Partial<DialectMenuSettings> = {}): DialectMenu =>
  new DialectMenu({ dialects: DIALECT_NAMES, pattern: undefined, maxFrameBytes: MIB, ...settings });

function named(each: DialectMenu): Record<string, DialectName> {
  const names: Record<string, DialectName> = {};
  for (const byte of BYTES) {
    const dialect = each.detect(byte);
    if (dialect !== undefined) names[byte] = dialect.name;
  }
  return names;
}

describe('the first byte of a connection', () => {
  it('tells binary, ndjson or nest-json, and nothing where no dialect begins like that', () => {
    const digits = Object.fromEntries(BYTES.slice(0x30, 0x3a).map((byte) => [byte, 'nest-json']));
    const blanks = Object.fromEntries(
      ['\t', '\n', '\r', ' '].map((blank) => [blank.charCodeAt(0), 'ndjson']),
    );
    expect(named(menu())).toEqual({ 0x00: 'binary', 0x7b: 'ndjson', ...blanks, ...digits });
  });

  it('is the one with which each dialect begins', () => {
    const tell = (bytes: Buffer): string | undefined => menu().detect(bytes[0]!)?.name;
    expect(tell(bytesOf('client-hello'))).toBe('binary');
    const texts = (['ndjson', 'nest-json'] as const).flatMap((name) =>
      vectors[name].valid.map((vector) => [tell(textBytesOf(vector)), name]),
    );
    expect(texts.length).toBeGreaterThan(30);
    for (const [told, name] of texts) expect(told).toBe(name);
  });

  it('tells a dialect also where it is not served, so that its peer can be told', () => {
    for (const dialects of [[], ['raw'], ['binary'], ['ndjson', 'nest-json']] as const)
      expect(named(menu({ dialects }))).toEqual(named(menu()));
  });

  it('may be any where an endpoint is raw', () => {
    const raw = menu({ dialects: ['raw'], pattern: 'echo' });
    expect(named(raw)).toEqual(Object.fromEntries(BYTES.map((byte) => [byte, 'raw'])));
  });

  it('never tells raw where it is any', () => {
    expect(Object.values(named(menu()))).not.toContain('raw');
  });

  it('makes a dialect of its own for each connection', () => {
    const each = menu();
    expect(each.detect(0x7b)).not.toBe(each.detect(0x7b));
  });
});

describe('an endpoint', () => {
  it.each(['binary', 'ndjson', 'nest-json'] as const)('that serves %s alone serves no other', (name) => {
    const only = menu({ dialects: [name] });
    const served = [0x00, 0x7b, 0x30].map((byte) => only.detect(byte)!).filter((each) => only.serves(each));
    expect(served.map((dialect) => dialect.name)).toEqual([name]);
  });

  it('that is raw serves raw', () => {
    const raw = menu({ dialects: ['raw'], pattern: 'echo' });
    expect(raw.serves(raw.detect(0x7b)!)).toBe(true);
  });

  it('gives its limit and its pattern to what it makes', () => {
    const limited = menu({ maxFrameBytes: 20 });
    for (const [byte, text] of [
      [0x7b, `{"id":1,"pattern":"echo"}\n`],
      [0x30, `21#`],
    ] as const) {
      expect(() => limited.detect(byte)!.decode(Buffer.from(text), () => undefined)).toThrow(
        expect.objectContaining({ code: 'FRAME_TOO_LARGE' }),
      );
    }
    const patterns: string[] = [];
    menu({ pattern: 'bytes' })
      .detect(0)!
      .decode(Buffer.from('x'), ({ pattern }) => patterns.push(pattern));
    expect(patterns).toEqual(['bytes']);
  });
});

describe('what is told of a dialect', () => {
  it('is what the server does differently for it', () => {
    const all = [
      ...[0x00, 0x7b, 0x30].map((byte) => menu().detect(byte)!),
      menu({ pattern: 'echo' }).detect(0)!,
    ];
    expect(
      all.map(({ name, hasHello, isBare, mayStopReading }) => ({ name, hasHello, isBare, mayStopReading })),
    ).toEqual([
      { name: 'binary', hasHello: true, isBare: false, mayStopReading: false },
      { name: 'ndjson', hasHello: false, isBare: false, mayStopReading: false },
      { name: 'nest-json', hasHello: false, isBare: false, mayStopReading: true },
      { name: 'raw', hasHello: false, isBare: true, mayStopReading: false },
    ]);
  });
});
