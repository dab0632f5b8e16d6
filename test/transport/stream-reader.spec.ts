import { beforeEach, describe, expect, it } from '@jest/globals';
import { Catch, Controller, type ExceptionFilter, UseFilters } from '@nestjs/common';
import { type Deserializer, MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import { concat, lastValueFrom, Observable, of, throwError } from 'rxjs';
import { clientOf, serve, serveAndConnect } from '../support/nest.js';
import { turns, until } from '../support/wait.js';

let pulls = 0;
let finallyRan = 0;
let tornDown = 0;

beforeEach(() => {
  pulls = finallyRan = tornDown = 0;
});

@Catch()
class ToUndefined implements ExceptionFilter {
  catch(): Observable<never> {
    return throwError(() => undefined);
  }
}

@Controller()
class Rows {
  @MessagePattern('rows')
  async *rows(@Payload() { count, bytes = 10 }: { count: number; bytes?: number }): AsyncGenerator<string> {
    try {
      while (pulls < count) {
        pulls += 1;
        yield `${pulls}:`.padEnd(bytes, '.');
      }
    } finally {
      finallyRan += 1;
    }
  }

  @MessagePattern('fails')
  async *fails(): AsyncGenerator<number> {
    yield 1;
    yield 2;
    throw new RpcException('no more');
  }

  @MessagePattern('fails-with-undefined')
  @UseFilters(ToUndefined)
  failsWithUndefined(): Observable<number> {
    return concat(
      of(1, 2),
      throwError(() => undefined),
    );
  }

  @MessagePattern('pushed')
  pushed(): Observable<number> {
    return of(1, 2, 3);
  }

  @MessagePattern('open')
  open(): Observable<number> {
    return new Observable((observer) => {
      observer.next(1);
      observer.next(2);
      return () => (tornDown += 1);
    });
  }

  @MessagePattern('one')
  one(): string {
    return 'one';
  }

  @MessagePattern('none')
  none(): undefined {
    return undefined;
  }
}

async function readAll<T>(values: AsyncIterable<T>): Promise<T[]> {
  const read: T[] = [];
  for await (const value of values) read.push(value);
  return read;
}

describe('UdsClient.stream', () => {
  it('gives every value in order, and ends', async () => {
    const { client } = await serveAndConnect([Rows]);
    const rows = await readAll(client.stream<string>('rows', { count: 5000, bytes: 200 }));
    expect(rows).toHaveLength(5000);
    expect(rows.map((row) => Number.parseInt(row))).toEqual(
      Array.from({ length: 5000 }, (_, index) => index + 1),
    );
    expect(finallyRan).toBe(1);
  });

  it.each([
    ['an Observable', 'pushed', [1, 2, 3]],
    ['one value', 'one', ['one']],
    ['no value', 'none', []],
  ])('reads %s too', async (_kind, pattern, values) => {
    const { client } = await serveAndConnect([Rows]);
    expect(await readAll(client.stream(pattern, 1))).toEqual(values);
  });

  it('asks for nothing before it is read', async () => {
    const { client } = await serveAndConnect([Rows]);
    const reader = client.stream('rows', { count: 3 });
    expect(await lastValueFrom(client.send('one', 1))).toBe('one');
    expect(pulls).toBe(0);
    expect(await reader.next()).toEqual({ done: false, value: '1:........' });
    await reader.return?.();
  });

  it.each([
    [1024, 100],
    [65_536, 5000],
  ])(
    'pauses the generator while nobody reads, within streamCreditBytes of %d',
    async (streamCreditBytes, bytes) => {
      const { path } = await serve([Rows]);
      const client = clientOf(path, { streamCreditBytes });
      const reader = client.stream<string>('rows', { count: 1e6, bytes });
      await reader.next();
      // the window, and the one value that may take the credit below 0
      const ahead = Math.ceil(streamCreditBytes / (bytes + 10)) + 1;
      await until(() => pulls >= Math.floor(streamCreditBytes / (bytes + 10)), 'the window is used up');
      await turns(20);
      expect(pulls).toBeLessThanOrEqual(ahead + 1);

      // a second later nothing more was pulled; reading on pulls on
      const before = pulls;
      for (let read = 0; read < 2 * ahead; read += 1) await reader.next();
      expect(pulls).toBeGreaterThan(before);
      expect(pulls).toBeLessThanOrEqual(2 * ahead + 1 + ahead);
      await reader.return?.();
      await until(() => finallyRan === 1, 'finally ran');
    },
  );

  it.each(['break', 'throw'])('cancels the call where the loop is left by %s', async (how) => {
    const { client } = await serveAndConnect([Rows]);
    const reading = (async () => {
      for await (const row of client.stream<string>('rows', { count: 1e6 })) {
        if (!row.startsWith('7:')) continue;
        if (how === 'break') break;
        throw new Error('mine');
      }
    })();
    if (how === 'throw') await expect(reading).rejects.toThrow('mine');
    else await reading;
    await until(() => finallyRan === 1, 'finally ran');
    const before = pulls;
    expect(await lastValueFrom(client.send('one', 1))).toBe('one');
    expect(pulls).toBe(before);
  });

  it('tears an Observable down where the loop is left', async () => {
    const { client } = await serveAndConnect([Rows]);
    for await (const value of client.stream('open', 1)) if (value === 2) break;
    await until(() => tornDown === 1, 'the Observable was torn down');
  });

  it('throws an error of the handler behind the values before it, once', async () => {
    const { client } = await serveAndConnect([Rows]);
    const reader = client.stream('fails', 1);
    expect((await reader.next()).value).toBe(1);
    expect((await reader.next()).value).toBe(2);
    await expect(reader.next()).rejects.toEqual({ status: 'error', message: 'no more' });
    expect(await reader.next()).toEqual({ done: true, value: undefined });
  });

  it('throws where the handler failed with undefined: that is no end', async () => {
    const { client } = await serveAndConnect([Rows]);
    const reader = client.stream('fails-with-undefined', 1);
    expect((await reader.next()).value).toBe(1);
    expect((await reader.next()).value).toBe(2);
    await expect(reader.next()).rejects.toBeUndefined();
    expect(await reader.next()).toEqual({ done: true, value: undefined });
  });

  it.each(['throws', 'rejects'])('cancels the call where a deserializer %s', async (how) => {
    const { path } = await serve([Rows]);
    const deserializer: Deserializer<{ response: string }, never> = {
      deserialize: (packet) => {
        if (!packet.response.startsWith('3:')) return packet as never;
        if (how === 'throws') throw new Error('mine');
        return Promise.reject(new Error('mine'));
      },
    };
    const client = clientOf(path, { deserializer });
    await expect(readAll(client.stream('rows', { count: 1e6 }))).rejects.toThrow('mine');
    await until(() => finallyRan === 1, 'finally ran');
    expect(pulls).toBeLessThan(1e6);
  });

  it('serves reads that were asked for at once in their order', async () => {
    const { client } = await serveAndConnect([Rows]);
    const reader = client.stream<string>('rows', { count: 2 });
    const steps = await Promise.all([reader.next(), reader.next(), reader.next(), reader.next()]);
    expect(steps.map(({ done }) => done)).toEqual([false, false, true, true]);
    expect(steps.map(({ value }) => value?.slice(0, 2))).toEqual(['1:', '2:', undefined, undefined]);
  });

  it('settles a read that waits when the loop is left elsewhere', async () => {
    const { client } = await serveAndConnect([Rows]);
    const reader = client.stream('open', 1);
    await reader.next();
    await reader.next();
    const waiting = reader.next();
    await reader.return?.();
    expect(await waiting).toEqual({ done: true, value: undefined });
    expect(await reader.next()).toEqual({ done: true, value: undefined });
  });

  it('lets many be read at once, each at its own pace', async () => {
    const { client } = await serveAndConnect([Rows]);
    const idle = client.stream('open', 1);
    await idle.next();
    const counts = await Promise.all(
      Array.from({ length: 20 }, async () => (await readAll(client.stream('pushed', 1))).length),
    );
    expect(counts).toEqual(Array.from({ length: 20 }, () => 3));
    await idle.return?.();
  });

  it('fails with CONNECTION_LOST where the connection is lost in mid-stream', async () => {
    const { client } = await serveAndConnect([Rows]);
    const reader = client.stream('open', 1);
    await reader.next();
    client.unwrap<{ destroy(): void }>().destroy();
    await expect(readAll(reader)).rejects.toMatchObject({ code: 'CONNECTION_LOST' });
  });
});
