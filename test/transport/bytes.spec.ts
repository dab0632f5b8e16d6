import { describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { Buffer } from 'node:buffer';
import { lastValueFrom, Observable, of, toArray } from 'rxjs';
import { serveAndConnect } from '../support/nest.js';

/** Bytes whose memory was handed to somebody else. */
function transferred(): Uint8Array {
  const bytes = new Uint8Array(100);
  structuredClone(bytes, { transfer: [bytes.buffer] });
  return bytes;
}

/** Says of itself what is not so. */
class Liar extends Uint8Array {
  override get length(): number {
    return 3;
  }
  override get byteLength(): number {
    return 1_000_000;
  }
  override get byteOffset(): number {
    return 1;
  }
}

const SIZES = [0, 10, 20_000];
const PATTERN = 'abcdefgh';
const lying = (size: number): Liar => {
  const memory = Buffer.alloc(size + 200, 'secret');
  // what is around it must not travel
  memory.write(PATTERN.repeat(size / PATTERN.length + 1).slice(0, size), 100);
  return new Liar(memory.buffer, memory.byteOffset + 100, size);
};
const expected = (size: number): string => PATTERN.repeat(size / PATTERN.length + 1).slice(0, size);

@Controller()
class Bytes {
  @MessagePattern('echo')
  echo(@Payload() data: unknown): unknown {
    return data;
  }

  @EventPattern('noted')
  noted(@Payload() _data: unknown): void {}

  @MessagePattern('transferred')
  transferred(@Payload() how: string): unknown {
    if (how === 'value') return transferred();
    if (how === 'generator') return this.#generator();
    if (how === 'one of an Observable') return of(transferred());
    if (how === 'behind a generator') return of(this.#lies(), transferred(), 'behind');
    return new Observable((observer) => {
      for (const value of ['before', transferred(), 'behind']) observer.next(value);
      observer.complete();
    });
  }

  async *#generator(): AsyncGenerator {
    yield 'before';
    yield transferred();
  }

  @MessagePattern('lying')
  lying(@Payload() how: string): unknown {
    if (how === 'generator') return this.#lies();
    if (how === 'behind a generator') return of(this.#lies(), ...SIZES.map(lying));
    return how === 'value' ? lying(SIZES[1]!) : of(...SIZES.map(lying));
  }

  async *#lies(): AsyncGenerator<Liar> {
    for (const size of SIZES) yield lying(size);
  }
}

describe('bytes whose memory was transferred', () => {
  it('fail their own call or event with UNSERIALIZABLE_PAYLOAD, and those behind are right', async () => {
    const { client } = await serveAndConnect([Bytes]);
    const results = await Promise.allSettled([
      lastValueFrom(client.send('echo', 'before')),
      lastValueFrom(client.send('echo', transferred())),
      lastValueFrom(client.emit('noted', transferred())),
      lastValueFrom(client.send('echo', Buffer.from('behind'))),
    ]);
    expect(results).toMatchObject([
      { value: 'before' },
      { reason: { code: 'UNSERIALIZABLE_PAYLOAD' } },
      { reason: { code: 'UNSERIALIZABLE_PAYLOAD' } },
      { value: Buffer.from('behind') },
    ]);
    expect(await lastValueFrom(client.send('echo', 'later'))).toBe('later');
  });

  it.each(['value', 'one of an Observable', 'many of an Observable', 'behind a generator', 'generator'])(
    'fail their call with UNSERIALIZABLE_ANSWER as an answer: %s',
    async (how) => {
      const { client, log } = await serveAndConnect([Bytes]);
      const failed = lastValueFrom(client.send('transferred', how));
      const behind = lastValueFrom(client.send<Buffer>('echo', Buffer.from('behind')));
      await expect(failed).rejects.toMatchObject({ code: 'UNSERIALIZABLE_ANSWER' });
      expect((await behind).toString()).toBe('behind');
      expect(await lastValueFrom(client.send('echo', 'later'))).toBe('later');
      expect(log.troubles).toEqual([expect.stringMatching(/^UNSERIALIZABLE_ANSWER/)]);
    },
  );
});

describe('bytes that lie about their length', () => {
  it.each(SIZES)('travel as they are: %d as a payload', async (size) => {
    const { client } = await serveAndConnect([Bytes]);
    const answer = await lastValueFrom(client.send<Buffer>('echo', lying(size)));
    expect(answer.toString()).toBe(expected(size));
    expect(await lastValueFrom(client.send('echo', 'behind'))).toBe('behind');
  });

  it.each([
    ['value', [SIZES[1]!]],
    ['Observable', SIZES],
    ['generator', SIZES],
    ['behind a generator', [...SIZES, ...SIZES]],
  ])('travel as they are in an answer: %s', async (how, sizes) => {
    const { client } = await serveAndConnect([Bytes]);
    const answers = await lastValueFrom(client.send<Buffer>('lying', how).pipe(toArray()));
    expect(answers.map(String)).toEqual(sizes.map(expected));
    expect(await lastValueFrom(client.send('echo', 'behind'))).toBe('behind');
  });
});
