import { describe, expect, it } from '@jest/globals';
import { type CallHandler, Controller, type ExecutionContext, UseInterceptors } from '@nestjs/common';
import { MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import { concat, from, lastValueFrom, Observable, of, throwError, toArray } from 'rxjs';
import { serveAndConnect } from '../support/nest.js';
import { turns, until } from '../support/wait.js';

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

/** How many values a source has given in this test, and whether it was torn down. */
let given = 0;
let isTornDown = false;

class PassOn {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle();
  }
}

@Controller()
class Streams {
  @MessagePattern('generator')
  async *generator(@Payload() count: number): AsyncGenerator<number> {
    for (const value of upTo(count)) yield value;
  }

  @MessagePattern('intercepted')
  @UseInterceptors(PassOn)
  async *intercepted(@Payload() count: number): AsyncGenerator<number> {
    for (const value of upTo(count)) yield value;
  }

  @MessagePattern('synchronous')
  *synchronous(@Payload() count: number): Generator<number> {
    for (const value of upTo(count)) yield value;
  }

  @MessagePattern('iterables')
  iterables(): Observable<unknown> {
    return of(this.generator(2), 'between', this.generator(3));
  }

  @MessagePattern('collections')
  collections(@Payload() kind: string): unknown {
    return kind === 'array' ? [1, 2] : 'text';
  }

  @MessagePattern('fails')
  async *fails(@Payload() how: string): AsyncGenerator<number> {
    yield 1;
    if (how === 'rpc') throw new RpcException({ status: 'error', message: 'no more', at: 1 });
    throw new Error('a secret');
  }

  @MessagePattern('observable-fails')
  observableFails(): Observable<number> {
    return concat(
      of(1, 2),
      throwError(() => new RpcException('no more')),
    );
  }

  @MessagePattern('undefined-inside')
  undefinedInside(): Observable<unknown> {
    return of(1, undefined, 2);
  }

  @MessagePattern('undefined-last')
  undefinedLast(@Payload() behind: string): Observable<unknown> {
    return of(behind === 'value' ? 1 : this.generator(2), undefined);
  }

  @MessagePattern('pushes')
  pushes(): Observable<string> {
    given = 0;
    isTornDown = false;
    return new Observable((observer) => {
      const timer = setInterval(() => {
        given += 1;
        observer.next('x'.repeat(1000));
      });
      return () => {
        isTornDown = true;
        clearInterval(timer);
      };
    });
  }

  @MessagePattern('iterables-at-once')
  iterablesAtOnce(): Observable<AsyncGenerator<number>> {
    const open = (): AsyncGenerator<number> => this.generator(1);
    return from(
      (function* () {
        for (given = 0; given < 10_000; given += 1) yield open();
      })(),
    );
  }

  @MessagePattern('pushes-at-once')
  pushesAtOnce(): Observable<string> {
    given = 0;
    return from(
      (function* () {
        for (given = 0; given < 1_000_000; given += 1) yield 'x'.repeat(1000);
      })(),
    );
  }
}

describe('a streamed answer', () => {
  it.each(['generator', 'intercepted', 'synchronous'])('is flattened: %s', async (pattern) => {
    const { client } = await serveAndConnect([Streams]);
    for (const count of [0, 1, 3, 1000]) {
      expect(await lastValueFrom(client.send(pattern, count).pipe(toArray()))).toStrictEqual(upTo(count));
    }
  });

  it('passes on values and iterables of an Observable in their order', async () => {
    const { client } = await serveAndConnect([Streams]);
    expect(await lastValueFrom(client.send('iterables', 1).pipe(toArray()))).toStrictEqual([
      0,
      1,
      'between',
      0,
      1,
      2,
    ]);
  });

  it('is one value where the handler gives an array or a string', async () => {
    const { client } = await serveAndConnect([Streams]);
    expect(await lastValueFrom(client.send('collections', 'array').pipe(toArray()))).toStrictEqual([[1, 2]]);
    expect(await lastValueFrom(client.send('collections', 'text').pipe(toArray()))).toStrictEqual(['text']);
  });

  it('may hold undefined between two values', async () => {
    const { client } = await serveAndConnect([Streams]);
    expect(await lastValueFrom(client.send('undefined-inside', 1).pipe(toArray()))).toStrictEqual([
      1,
      undefined,
      2,
    ]);
  });

  it.each([
    ['value', [1]],
    ['generator', [0, 1]],
  ])('has no value where its last one is undefined: behind a %s', async (behind, values) => {
    const { client } = await serveAndConnect([Streams]);
    expect(await lastValueFrom(client.send('undefined-last', behind).pipe(toArray()))).toStrictEqual(values);
  });

  it.each([
    ['fails', 'rpc', [1], { status: 'error', message: 'no more', at: 1 }],
    ['fails', 'unknown', [1], { status: 'error', message: 'Internal server error' }],
    ['observable-fails', 'rpc', [1, 2], { status: 'error', message: 'no more' }],
  ])(
    '%s with the error that Nest makes of it (%s), behind its values',
    async (pattern, how, values, error) => {
      const { client } = await serveAndConnect([Streams]);
      const got: unknown[] = [];
      const failure = new Promise((resolve) => {
        client.send(pattern, how).subscribe({ next: (value) => got.push(value), error: resolve });
      });
      expect(await failure).toEqual(error);
      expect(got).toStrictEqual(values);
    },
  );
});

describe('an Observable that is ahead of its reader', () => {
  it('is torn down, and its call fails with STREAM_OVERFLOW', async () => {
    const { client, log } = await serveAndConnect([Streams], { maxStreamBufferBytes: 20_000 });
    const reader = client.stream<string>('pushes', 1);
    const first = await reader.next();
    expect(first.value).toHaveLength(1000);
    await until(() => isTornDown, 'the Observable was torn down');
    const readAll = async (): Promise<void> => {
      for await (const value of reader) expect(value).toHaveLength(1000);
    };
    await expect(readAll()).rejects.toMatchObject({
      code: 'STREAM_OVERFLOW',
      message: expect.stringContaining('maxStreamBufferBytes'),
    });
    expect(log.troubles).toEqual([expect.stringMatching(/^STREAM_OVERFLOW/)]);
    // credit of the client, and what the server may keep
    expect(given).toBeLessThan((262_144 + 20_000) / 1000 + 2);
    const before = given;
    await turns();
    expect(given).toBe(before);
  });

  it('has its iterables counted too', async () => {
    const { client, log } = await serveAndConnect([Streams], { maxStreamBufferBytes: 20_000 });
    await expect(lastValueFrom(client.send('iterables-at-once', 1))).rejects.toMatchObject({
      code: 'STREAM_OVERFLOW',
    });
    expect(given).toBeLessThan(1000);
    expect(log.troubles).toEqual([expect.stringMatching(/^STREAM_OVERFLOW/)]);
    expect(await lastValueFrom(client.send('collections', 'text'))).toBe('text');
  });

  it('stops in the middle where it gives all in one go', async () => {
    const { client } = await serveAndConnect([Streams], { maxStreamBufferBytes: 20_000 });
    const reading = lastValueFrom(client.send('pushes-at-once', 1));
    await expect(reading).rejects.toMatchObject({ code: 'STREAM_OVERFLOW' });
    expect(given).toBeLessThan(1000);
    expect(await lastValueFrom(client.send('collections', 'text'))).toBe('text');
  });
});
