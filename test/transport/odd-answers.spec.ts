import { describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { lastValueFrom, Observable, toArray } from 'rxjs';
import { serveAndConnect } from '../support/nest.js';

/** Objects that say they can be iterated, and can't. They are plain values: JSON has no symbols. */
const notIterable: Record<string, () => object> = {
  'throws when it is read': () =>
    Object.defineProperty({ a: 1 }, Symbol.asyncIterator, {
      get: () => {
        throw new Error('broken getter');
      },
    }),
  'is undefined': () => ({ a: 1, [Symbol.asyncIterator]: undefined }),
  'is null': () => ({ a: 1, [Symbol.asyncIterator]: null }),
  'is no function': () => ({ a: 1, [Symbol.asyncIterator]: 'text' }),
};

const neverOpens = (): object => ({
  [Symbol.asyncIterator]: () => {
    throw new Error('broken iterable');
  },
});

/** It throws whatever is done with it, `instanceof` included. */
function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

/** Two values, given within `subscribe` or turns of the event loop later. */
function emitting(value: object, isLater: boolean): Observable<unknown> {
  return new Observable((observer) => {
    const give = (given: unknown): void => observer.next(given);
    const steps = [() => give('before'), () => give(value), () => give('behind'), () => observer.complete()];
    if (isLater) steps.reduce((before, step) => () => (before(), void setImmediate(step)))();
    else for (const step of steps) step();
  });
}

@Controller()
class Odd {
  @MessagePattern('not-iterable')
  notIterable(@Payload() { kind, isLater }: { kind: string; isLater: boolean }): Observable<unknown> {
    return emitting(notIterable[kind]!(), isLater);
  }

  @MessagePattern('never-opens')
  neverOpens(@Payload() isLater: boolean): Observable<unknown> {
    return emitting(neverOpens(), isLater);
  }

  @MessagePattern('revoked')
  revoked(@Payload() how: string): unknown {
    if (how === 'throws') throw revoked();
    if (how === 'rejects') return Promise.reject(revoked());
    return this.#generator();
  }

  async *#generator(): AsyncGenerator<number> {
    yield 1;
    throw revoked();
  }

  @MessagePattern('no-result')
  noResult(): AsyncIterable<number> {
    const next = (): Promise<IteratorResult<number>> =>
      Promise.resolve(5 as unknown as IteratorResult<number>);
    return { [Symbol.asyncIterator]: () => ({ next }) };
  }

  @MessagePattern('ping')
  ping(): string {
    return 'pong';
  }
}

const UNKNOWN_ERROR = { status: 'error', message: 'Internal server error' };

describe.each([
  ['at once', false],
  ['later', true],
])('an Observable that emits %s', (_when, isLater) => {
  it.each(Object.keys(notIterable))(
    'an object whose Symbol.asyncIterator %s gives it as a value',
    async (kind) => {
      const { client, log } = await serveAndConnect([Odd]);
      const values = lastValueFrom(client.send('not-iterable', { kind, isLater }).pipe(toArray()));
      expect(await values).toEqual(['before', { a: 1 }, 'behind']);
      expect(await lastValueFrom(client.send('ping', 1))).toBe('pong');
      expect(log.troubles).toEqual([]);
    },
  );

  it('an iterable that can not be opened fails its call alone', async () => {
    const { client } = await serveAndConnect([Odd]);
    await expect(lastValueFrom(client.send('never-opens', isLater))).rejects.toEqual(UNKNOWN_ERROR);
    expect(await lastValueFrom(client.send('ping', 1))).toBe('pong');
  });
});

describe('an iterator that gives no result object', () => {
  it('fails its call', async () => {
    const { client } = await serveAndConnect([Odd]);
    await expect(lastValueFrom(client.send('no-result', 1))).rejects.toEqual(UNKNOWN_ERROR);
    expect(await lastValueFrom(client.send('ping', 1))).toBe('pong');
  });
});

describe('a handler that throws a revoked Proxy', () => {
  it.each([
    ['throws', expect.objectContaining({ code: 'HANDLER_FAILED' })],
    ['rejects', expect.objectContaining({ code: 'HANDLER_FAILED' })],
    ['generator', UNKNOWN_ERROR],
  ])('fails its call, and no other: %s', async (how, error) => {
    const { client } = await serveAndConnect([Odd]);
    await expect(lastValueFrom(client.send('revoked', how))).rejects.toEqual(error);
    expect(await lastValueFrom(client.send('ping', 1))).toBe('pong');
  });
});
