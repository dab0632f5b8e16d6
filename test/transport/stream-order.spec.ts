import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { type CallHandler, Controller, type ExecutionContext, UseInterceptors } from '@nestjs/common';
import { MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import { from, lastValueFrom, Observable, of, takeWhile } from 'rxjs';
import { type UdsClient, UdsRecordBuilder } from '../../src/index.js';
import { clientOf, serve, serveAndConnect } from '../support/nest.js';
import { Gate, until } from '../support/wait.js';

// Millions of items, on a machine that may be busy.
jest.setTimeout(60_000);

const MILLION = 1_000_000;
const ENDLESS: Ask = { count: Number.MAX_SAFE_INTEGER };
/** Far below what an Observable may be ahead of its reader. */
const ITEMS_A_TURN = 100;

const RPC_PAYLOAD = { code: 'NO_MORE', at: { row: 3 }, tags: [1, null, 'x'] };
const ERRORS = { rpc: () => new RpcException(RPC_PAYLOAD), other: () => new Error('a secret') };
const UNKNOWN_ERROR = { status: 'error', message: 'Internal server error' };

interface Ask {
  readonly count: number;
  /** What the source fails with behind its items, where it does. */
  readonly failure?: keyof typeof ERRORS;
  /** Whether its first item is late: it comes when the gate opens. */
  readonly isLate?: boolean;
}

/** How many items the sources have given, and how often they were closed: `finally`, `return()`, teardown. */
let given = 0;
let closed = 0;
let asked = new Gate();
let gate = new Gate();

beforeEach(() => {
  given = closed = 0;
  asked = new Gate();
  gate = new Gate();
});

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

async function ready({ isLate }: Ask): Promise<void> {
  if (isLate !== true) return;
  asked.open();
  await gate.opened;
}

class HandOn {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle();
  }
}

function* numbers({ count, failure }: Ask): Generator<number> {
  try {
    for (let item = 0; item < count; item += 1) {
      given += 1;
      yield item;
    }
    if (failure !== undefined) throw ERRORS[failure]();
  } finally {
    closed += 1;
  }
}

/** An iterable that is no generator: nothing closes it but `return()`. */
function iterable(ask: Ask): AsyncIterable<number> {
  let item = 0;
  return {
    [Symbol.asyncIterator]: () => ({
      next: async () => {
        await ready(ask);
        if (item < ask.count) {
          given += 1;
          return { done: false, value: item++ };
        }
        if (ask.failure !== undefined) throw ERRORS[ask.failure]();
        return { done: true, value: undefined };
      },
      return: () => {
        closed += 1;
        return Promise.resolve({ done: true, value: undefined });
      },
    }),
  };
}

@Controller()
class Sources {
  @MessagePattern('generator')
  generator(@Payload() ask: Ask): Generator<number> {
    return numbers(ask);
  }

  @MessagePattern('async generator')
  async *asyncGenerator(@Payload() ask: Ask): AsyncGenerator<number> {
    await ready(ask);
    for (const item of numbers(ask)) yield item;
  }

  @MessagePattern('async generator behind an interceptor')
  @UseInterceptors(HandOn)
  intercepted(@Payload() ask: Ask): AsyncGenerator<number> {
    return this.asyncGenerator(ask);
  }

  @MessagePattern('async iterable')
  iterable(@Payload() ask: Ask): AsyncIterable<number> {
    return iterable(ask);
  }

  @MessagePattern('Observable that emits at once')
  atOnce(@Payload() ask: Ask): Observable<number> {
    return from(numbers(ask));
  }

  /** So that a reader can keep up with it. */
  @MessagePattern('Observable that emits over turns')
  overTurns(@Payload() ask: Ask): Observable<number> {
    return new Observable((observer) => {
      let item = 0;
      const turn = (): void => {
        for (const end = Math.min(ask.count, item + ITEMS_A_TURN); item < end; item += 1) {
          given += 1;
          observer.next(item);
        }
        if (observer.closed) return;
        if (item < ask.count) next = setImmediate(turn);
        else if (ask.failure === undefined) observer.complete();
        else observer.error(ERRORS[ask.failure]());
      };
      let next = setImmediate(turn);
      return () => {
        closed += 1;
        clearImmediate(next);
      };
    });
  }

  /** The last one is never begun, so its `finally` has nothing to close. */
  @MessagePattern('several')
  several(@Payload() ask: Ask): Observable<unknown> {
    return of(iterable(ask), iterable(ENDLESS), numbers(ENDLESS));
  }

  @MessagePattern('ping')
  ping(): string {
    return 'pong';
  }
}

const PULLED = ['generator', 'async generator', 'async generator behind an interceptor', 'async iterable'];
const CANCELLABLE = [...PULLED, 'Observable that emits over turns'];
const KINDS = [...CANCELLABLE, 'Observable that emits at once'];

type Wants = (item: number) => boolean;
type Read = (client: UdsClient, source: string, ask: unknown, wants: Wants) => Promise<unknown>;

/** They read until the end, or until an item is not wanted. */
const READERS: Record<'send()' | 'stream()', Read> = {
  'send()': (client, source, ask, wants) =>
    lastValueFrom(client.send<number>(source, ask).pipe(takeWhile(wants)), { defaultValue: undefined }),
  'stream()': async (client, source, ask, wants) => {
    for await (const item of client.stream<number>(source, ask)) if (!wants(item)) break;
  },
};

type How = keyof typeof READERS;

/** Each kind of source with each way to read it. */
const pairs = (kinds: readonly string[]): [string, How][] =>
  kinds.flatMap((kind): [string, How][] => [
    [kind, 'send()'],
    [kind, 'stream()'],
  ]);

async function readAll(client: UdsClient, how: How, source: string, ask: unknown): Promise<object> {
  const items: number[] = [];
  return READERS[how](client, source, ask, (item) => items.push(item) > 0).then(
    () => ({ items }),
    (error: unknown) => ({ items, error }),
  );
}

/** What the server was about to do for this connection it has done, and what it sent has been read. */
async function settled(client: UdsClient): Promise<void> {
  for (let call = 0; call < 10; call += 1) await lastValueFrom(client.send('ping', 1));
}

/** The source was closed exactly so often, and gives nothing more. */
async function closedFor(client: UdsClient, times = 1): Promise<void> {
  await until(() => closed >= times, 'the source was closed');
  const before = given;
  await settled(client);
  expect({ closed, given }).toEqual({ closed: times, given: before });
}

describe('the items of a long stream', () => {
  it.each<[How, string, number]>([
    ['send()', 'async generator', MILLION],
    ['stream()', 'async generator', MILLION],
    ['send()', 'Observable that emits over turns', MILLION / 4],
    ['stream()', 'Observable that emits over turns', MILLION / 4],
  ])('come in order, and all of them: read by %s from an %s, %d items', async (how, source, count) => {
    const { client } = await serveAndConnect([Sources]);
    let due = 0;
    // none is kept, so that the reader is not what a million cost
    await READERS[how](client, source, { count }, (item) => {
      if (item !== due) throw new Error(`${item} came where ${due} was due`);
      due += 1;
      return true;
    });
    expect({ due, given, closed }).toEqual({ due: count, given: count, closed: 1 });
  });
});

describe.each(pairs(KINDS))('a stream (%s), read by %s,', (source, how) => {
  // `return()` is for those who leave early alone.
  const closings = source === 'async iterable' ? 0 : 1;

  it('that has no items completes without one', async () => {
    const { client, log } = await serveAndConnect([Sources]);
    expect(await readAll(client, how, source, { count: 0 })).toStrictEqual({ items: [] });
    expect([closed, log.troubles]).toEqual([closings, []]);
  });

  it.each([0, 1, 1000])('that fails gives its %d items in order, then the error', async (count) => {
    const { client, log } = await serveAndConnect([Sources]);
    const items = upTo(count);
    const rpc = await readAll(client, how, source, { count, failure: 'rpc' });
    expect(rpc).toStrictEqual({ items, error: RPC_PAYLOAD });
    expect(log.troubles).toEqual([]);
    const other = await readAll(client, how, source, { count, failure: 'other' });
    expect(other).toStrictEqual({ items, error: UNKNOWN_ERROR });
    // as Nest's default filter logs what is not meant for callers
    expect(log.troubles).toEqual(['a secret']);
    await settled(client);
    expect(closed).toBe(2 * closings);
  });
});

describe('a source whose reader leaves in the middle', () => {
  it.each(pairs(CANCELLABLE))('is closed once and gives no more: %s, read by %s', async (source, how) => {
    const { client, log } = await serveAndConnect([Sources]);
    await READERS[how](client, source, ENDLESS, (item) => item < 500);
    await closedFor(client);
    expect(log.troubles).toEqual([]);
  });

  it.each(PULLED)('is closed once where it was paused for credit: %s', async (source) => {
    const { path } = await serve([Sources]);
    const client = clientOf(path, { streamCreditBytes: 1024 });
    const reader = client.stream<number>(source, ENDLESS);
    await reader.next();
    // an item of two digits makes a frame of 12 bytes
    await until(() => given >= 1024 / 12, 'the credit is used up');
    await settled(client);
    const paused = given;
    await reader.return?.();
    await closedFor(client);
    expect(given).toBe(paused);
  });

  it.each(pairs(['async generator', 'async iterable']))(
    'is closed once where it has no item yet: %s, read by %s',
    async (source, how) => {
      const { client } = await serveAndConnect([Sources]);
      const leave = new AbortController();
      const ask = new UdsRecordBuilder({ ...ENDLESS, isLate: true }).setSignal(leave.signal).build();
      const reading = readAll(client, how, source, ask);
      await asked.within('the source waits');
      leave.abort();
      expect(await reading).toMatchObject({ items: [], error: { code: 'CALL_ABORTED' } });
      await settled(client);
      // a generator can't be closed while it waits; an iterator is told at once
      expect(closed).toBe(source === 'async iterable' ? 1 : 0);
      gate.open();
      await until(() => given > 0, 'the source went on');
      await closedFor(client);
      expect(given).toBe(1);
    },
  );

  it('has each iterable closed once that still waited behind another', async () => {
    const { client } = await serveAndConnect([Sources]);
    await READERS['stream()'](client, 'several', ENDLESS, (item) => item < 100);
    await closedFor(client, 2);
  });

  it('has an iterable closed once that waited behind one that failed', async () => {
    const { client } = await serveAndConnect([Sources]);
    const read = readAll(client, 'stream()', 'several', { count: 3, failure: 'rpc' });
    expect(await read).toStrictEqual({ items: upTo(3), error: RPC_PAYLOAD });
    await closedFor(client);
  });
});
