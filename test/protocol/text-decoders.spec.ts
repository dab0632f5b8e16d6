import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { CountedTextDecoder } from '../../src/protocol/counted-text-decoder.js';
import { NdjsonDialect } from '../../src/protocol/dialects/ndjson.js';
import { NestJsonDialect } from '../../src/protocol/dialects/nest-json.js';
import { KeptBytes } from '../../src/protocol/kept-bytes.js';
import { LineDecoder } from '../../src/protocol/line-decoder.js';
import { TextPacker } from '../../src/protocol/text-packer.js';
import { byteByByte, cutAt, MIB } from './reading.js';

const TIME_BOX = { interruptAfterTimeLimit: 800, numRuns: 1_000 };
const places = fc.array(fc.nat(), { maxLength: 30 });
const texts = fc.array(
  fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.nat(4_000).map((count) => 'é'.repeat(count)),
  ),
  {
    maxLength: 12,
  },
);

interface Work {
  readonly copied: number;
  readonly read: readonly string[];
}

interface PullDecoder {
  readonly copiedBytes: number;
  push(chunk: Buffer): void;
  next(): Buffer | string | undefined;
}

function run(decoder: PullDecoder, chunks: Iterable<Buffer>): Work {
  const read: string[] = [];
  for (const chunk of chunks) {
    decoder.push(chunk);
    for (let each = decoder.next(); each !== undefined; each = decoder.next()) read.push(each.toString());
  }
  return { copied: decoder.copiedBytes, read };
}

const DECODERS = [
  {
    name: 'LineDecoder',
    make: (): PullDecoder => new LineDecoder(16 * MIB),
    /** What the decoder gives back of a text; a line has no end within it. */
    as: (text: string): string => text.replaceAll('\n', ' '),
    frame: (text: string): string => `${text}\n`,
  },
  {
    name: 'CountedTextDecoder',
    make: (): PullDecoder => new CountedTextDecoder(16 * MIB),
    as: (text: string): string => text,
    frame: (text: string): string => `${text.length}#${text}`,
  },
];

describe.each(DECODERS)('the work of a $name', ({ make, as, frame }) => {
  it('copies nothing of what comes whole', () => {
    fc.assert(
      fc.property(texts, (each) => {
        const read = each.map(as);
        expect(run(make(), [Buffer.from(read.map(frame).join(''))])).toEqual({ copied: 0, read });
      }),
      TIME_BOX,
    );
  });

  it('copies each byte three times at most, however the stream is split', () => {
    fc.assert(
      fc.property(texts, places, (each, cuts) => {
        const read = each.map(as);
        const stream = Buffer.from(read.map(frame).join(''));
        const work = run(make(), cutAt(stream, cuts));
        expect(work.read).toEqual(read);
        expect(work.copied).toBeLessThanOrEqual(3 * stream.length);
      }),
      TIME_BOX,
    );
  });

  it.each([1, 2, 3, 7, 1_000, 65_536])('holds for a long text in chunks of %d bytes', (step) => {
    const text = 'é'.repeat(step < 1_000 ? 100_000 : 1_000_000);
    const stream = Buffer.from(frame(text));
    const pieces = Array.from({ length: Math.ceil(stream.length / step) }, (_, index) =>
      stream.subarray(index * step, (index + 1) * step),
    );
    const { copied, read } = run(make(), pieces);
    expect(read).toHaveLength(1);
    expect(read[0] === text).toBe(true);
    expect(copied).toBeLessThanOrEqual(3 * stream.length);
  });

  it('copies only what lies at the end of a chunk, where much lies before it', () => {
    const many = Buffer.from(frame('{"id":7,"ping":true}').repeat(1_000));
    const cut = many.length - 5;
    const { copied, read } = run(make(), [many.subarray(0, cut), many.subarray(cut)]);
    expect(read).toHaveLength(1_000);
    expect(copied).toBeLessThanOrEqual(2 * 24);
  });

  it('takes empty chunks for nothing', () => {
    const nothing = Buffer.alloc(0);
    const pieces = [...byteByByte(Buffer.from(frame('ab')))].flatMap((piece) => [nothing, piece, nothing]);
    expect(run(make(), pieces).read).toEqual(['ab']);
  });
});

describe('a length that counts UTF-16 units', () => {
  const read = (text: string): readonly string[] =>
    run(new CountedTextDecoder(MIB), byteByByte(Buffer.from(text))).read;

  it('ends behind a character of whatever length, also where that is the last one', () => {
    expect(read('1#a1#é1#€2#😀4#aé€!')).toEqual(['a', 'é', '€', '😀', 'aé€!']);
  });

  it('can not end inside one: half of a surrogate pair has no UTF-8', () => {
    for (const text of ['1#😀', '2#a😀', '2#€😀'])
      expect(() => read(text)).toThrow(expect.objectContaining({ code: 'BAD_FRAME' }));
  });

  it('may be 0', () => {
    expect(read('0#1#a00#')).toEqual(['', 'a', '']);
  });
});

/** Of all pieces together. */
const MAX_KEPT_BYTES = 40 * 400;

describe('bytes that are kept', () => {
  it('are all there, in order, in room of at most twice as many', () => {
    const pieces = fc.array(fc.uint8Array({ maxLength: 400 }), { maxLength: 40 });
    fc.assert(
      fc.property(pieces, fc.nat(20), (each, before) => {
        const kept = new KeptBytes(MAX_KEPT_BYTES);
        for (const piece of each) {
          const chunk = Buffer.concat([Buffer.alloc(before), piece, Buffer.alloc(3)]);
          kept.append(chunk, before, before + piece.length);
          chunk.fill(0xee);
        }
        const all = Buffer.concat(each);
        expect(kept.length).toBe(all.length);
        const taken = kept.take();
        expect(taken.equals(all)).toBe(true);
        expect(taken.buffer.byteLength).toBeLessThanOrEqual(Math.max(256, 2 * all.length));
        expect(kept.length).toBe(0);
        expect(kept.take()).toHaveLength(0);
      }),
      TIME_BOX,
    );
  });

  it('that were taken are not written over by those that come next', () => {
    const kept = new KeptBytes(100);
    kept.append(Buffer.from('first'), 0, 5);
    const first = kept.take();
    kept.append(Buffer.from('other'), 0, 5);
    expect([String(first), String(kept.take())]).toEqual(['first', 'other']);
  });
});

describe('what a peer can make this end keep', () => {
  const LIMIT = 65_536;

  it('is no more than twice the longest line, however it feeds us', () => {
    for (const step of [1, 1_000, LIMIT]) {
      const decoder = new LineDecoder(LIMIT);
      const piece = Buffer.alloc(step, 'x');
      for (let fed = 0; fed + step <= LIMIT; fed += step) {
        decoder.push(piece);
        decoder.next();
      }
      const rest = decoder.rest();
      expect(rest.buffer.byteLength).toBeLessThanOrEqual(2 * LIMIT);
      expect(rest.length).toBeGreaterThan(LIMIT - step);
    }
  });

  it('is nothing of a length that was announced', () => {
    const before = process.memoryUsage().arrayBuffers;
    const announced = Array.from({ length: 20 }, () => {
      const dialect = new NestJsonDialect(64 * MIB);
      dialect.decode(Buffer.from(`${64 * MIB}#{"pattern":"`), () => undefined);
      return dialect;
    });
    expect(announced).toHaveLength(20);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * MIB);
  });

  it('is nothing of the chunk that brought too much', () => {
    const decoder = new LineDecoder(100);
    decoder.push(Buffer.alloc(MIB, 'x'));
    expect(() => decoder.next()).toThrow(expect.objectContaining({ code: 'FRAME_TOO_LARGE' }));
    expect(decoder.copiedBytes).toBe(0);
  });
});

describe('the longest frame', () => {
  const taken = (dialect: NdjsonDialect | NestJsonDialect, text: string): number => {
    let count = 0;
    dialect.decode(Buffer.from(text), () => (count += 1));
    return count;
  };
  const tooLarge = expect.objectContaining({ code: 'FRAME_TOO_LARGE' });

  it('of ndjson is counted in bytes, without the end of its line', () => {
    const line = '{"pattern":"é€😀"}';
    const limit = Buffer.byteLength(line);
    expect(taken(new NdjsonDialect(limit, 'server'), `${line}\n${line}\n`)).toBe(2);
    expect(() => taken(new NdjsonDialect(limit - 1, 'server'), `${line}\n`)).toThrow(tooLarge);
  });

  it('of nest-json is counted as its length is: in UTF-16 units', () => {
    const text = '{"pattern":"é€😀"}';
    expect(taken(new NestJsonDialect(text.length), `${text.length}#${text}`)).toBe(1);
    expect(() => taken(new NestJsonDialect(text.length - 1), `${text.length}#`)).toThrow(tooLarge);
  });

  it('that is written has a limit in bytes, and what is over it leaves nothing behind', () => {
    const packer = new TextPacker(6);
    expect(packer.append('€€')).toBe(6);
    expect(() => packer.append('€€ ')).toThrow(expect.objectContaining({ code: 'PAYLOAD_TOO_LARGE' }));
    expect(packer).toMatchObject({ pendingBytes: 6, pendingFrames: 1 });
    expect(packer.append('x')).toBe(1);
    expect(packer.take().map(String)).toEqual(['€€x']);
    expect(packer.take()).toEqual([]);
  });
});
