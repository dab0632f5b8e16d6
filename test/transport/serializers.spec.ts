import { beforeEach, describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import {
  Ctx,
  type Deserializer,
  EventPattern,
  MessagePattern,
  Payload,
  RpcException,
  type Serializer,
} from '@nestjs/microservices';
import { AsyncLocalStorage } from 'node:async_hooks';
import { Buffer } from 'node:buffer';
import { lastValueFrom, of, toArray } from 'rxjs';
import { UdsContext, type UdsClientOptions, type UdsServerOptions } from '../../src/index.js';
import { clientOf, type Served, serve } from '../support/nest.js';
import { turns, until } from '../support/wait.js';

let seen: unknown[] = [];
let reads = 0;

beforeEach(() => {
  seen = [];
});

@Controller()
class Answers {
  @MessagePattern('echo')
  echo(@Payload() data: unknown): unknown {
    seen.push(data);
    return data;
  }

  @MessagePattern({ cmd: 'object' })
  byObject(@Ctx() context: UdsContext): unknown {
    return { pattern: context.getPattern(), metadata: context.getMetadata() };
  }

  @MessagePattern('three')
  three(): unknown {
    return of(1, 2, 3);
  }

  @MessagePattern('generator')
  async *generator(): AsyncGenerator<number> {
    yield* [1, 2, 3];
  }

  @MessagePattern('nothing')
  nothing(): undefined {
    return undefined;
  }

  @MessagePattern('fails')
  fails(): never {
    throw new RpcException({ status: 'error', message: 'no stock' });
  }

  @EventPattern('noted')
  noted(@Payload() data: unknown): void {
    seen.push(data);
  }
}

/** Packets as bytes: base64 of their JSON, so that nothing that skips it can pass. */
const toBytes: Serializer<unknown, Buffer> = {
  serialize: (packet) => Buffer.from(Buffer.from(JSON.stringify(packet)).toString('base64')),
};
const fromBytes: Deserializer<Buffer, never> = {
  deserialize: (bytes) => JSON.parse(Buffer.from(bytes.toString(), 'base64').toString()) as never,
};
/** Each of five takes less than the one before it, so that only a chain keeps the order. */
const slowFromBytes: Deserializer<Buffer, Promise<never>> = {
  deserialize: async (bytes) => {
    const packet = fromBytes.deserialize(bytes) as never;
    reads += 1;
    await turns(5 - (reads % 5));
    return packet;
  },
};

type Codec = Pick<UdsServerOptions & UdsClientOptions, 'serializer' | 'deserializer'>;
type ServerCodec = Codec & Pick<UdsServerOptions, 'maxEvents' | 'maxLogLinesPerCode'>;

async function both(
  codec: ServerCodec,
  clientCodec: Codec = codec,
): Promise<Served & { client: ReturnType<typeof clientOf> }> {
  const served = await serve([Answers], codec);
  return { ...served, client: clientOf(served.path, clientCodec) };
}

describe.each([
  ['synchronous', { serializer: toBytes, deserializer: fromBytes }],
  ['asynchronous', { serializer: toBytes, deserializer: slowFromBytes }],
])('with a serializer of its own and a deserializer that is %s', (_kind, codec) => {
  it('brings values, their absence, streams and errors there and back', async () => {
    const { client } = await both(codec);
    expect(await lastValueFrom(client.send('echo', { a: 1 }))).toEqual({ a: 1 });
    expect(await lastValueFrom(client.send('three', 1).pipe(toArray()))).toStrictEqual([1, 2, 3]);
    expect(await lastValueFrom(client.send('generator', 1).pipe(toArray()))).toStrictEqual([1, 2, 3]);
    expect(await lastValueFrom(client.send('nothing', 1).pipe(toArray()))).toStrictEqual([]);
    await expect(lastValueFrom(client.send('fails', 1))).rejects.toEqual({
      status: 'error',
      message: 'no stock',
    });
    const values: unknown[] = [];
    for await (const value of client.stream('generator', 1)) values.push(value);
    expect(values).toStrictEqual([1, 2, 3]);
  });

  it('carries pattern and metadata in the packet', async () => {
    const { client } = await both(codec);
    client.setOnDispatchHook((packet) => (packet.metadata = { trace: 'a1' }));
    expect(await lastValueFrom(client.send({ cmd: 'object' }, 1))).toEqual({
      pattern: '{"cmd":"object"}',
      metadata: { trace: 'a1' },
    });
  });

  it('hands messages and events to their handlers in the order in which they were sent', async () => {
    const { client } = await both(codec);
    const numbers = Array.from({ length: 40 }, (_, index) => index);
    for (const number of numbers) {
      if (number % 2 === 0) client.send('echo', number).subscribe();
      else client.emit('noted', number);
    }
    await until(() => seen.length === numbers.length, 'all arrived');
    expect(seen).toEqual(numbers);
  });

  it('refuses what no handler takes', async () => {
    const { client } = await both(codec);
    await expect(lastValueFrom(client.send('nobody', 1))).rejects.toMatchObject({ code: 'NO_HANDLER' });
  });
});

/** What a deserializer does in place of making a packet. */
const broken: Record<string, () => unknown> = {
  throws: () => {
    throw new Error('mine');
  },
  rejects: () => Promise.reject(new Error('mine')),
  'gives undefined': () => undefined,
  'gives null': () => null,
  'gives a text': () => 'text',
  'resolves to undefined': async () => undefined,
  'resolves to null': async () => null,
  'gives what throws when it is looked at': unreadable,
  'resolves to what throws when it is looked at': async () => unreadable(),
};

/** A packet of either end, of which nothing can be read. */
function unreadable(): object {
  const mine = {
    enumerable: true,
    get: (): never => {
      throw new Error('mine');
    },
  };
  return Object.defineProperties({}, { pattern: mine, response: mine });
}

describe('a deserializer', () => {
  it('of one end alone gets plain packets', async () => {
    const packets: object[] = [];
    const deserializer: Deserializer<object, never> = {
      deserialize: (packet) => {
        packets.push(packet);
        return packet as never;
      },
    };
    const { client } = await both({ deserializer });
    expect(await lastValueFrom(client.send('echo', 'hi'))).toBe('hi');
    await lastValueFrom(client.emit('noted', 1));
    await until(() => seen.length === 2, 'the event arrived');
    expect(packets).toEqual([
      { pattern: 'echo', data: 'hi', id: expect.any(String) },
      { response: 'hi', isDisposed: true, id: expect.any(String) },
      { pattern: 'noted', data: 1 },
    ]);
  });

  it.each(Object.keys(broken))(
    'of the server that %s ends its call with BAD_PAYLOAD, and no other',
    async (how) => {
      const deserializer: Deserializer<{ data: unknown }, never> = {
        deserialize: (packet) => (packet.data === 'bad' ? broken[how]!() : packet) as never,
      };
      const { client, log } = await both({ deserializer, maxEvents: 16, maxLogLinesPerCode: 100 }, {});
      const calls = ['good', 'bad', 'good'].map((data) => lastValueFrom(client.send('echo', data)));
      // more often than events may be under way: each gives its credit back
      for (let count = 0; count < 20; count += 1) client.emit('noted', 'bad');
      client.emit('noted', 'good');
      const [first, second, third] = await Promise.allSettled(calls);
      expect(first).toMatchObject({ value: 'good' });
      expect(second).toMatchObject({ reason: { code: 'BAD_PAYLOAD' } });
      expect(third).toMatchObject({ value: 'good' });
      await until(() => seen.length === 3, 'the event behind them arrived');
      expect(seen).toEqual(['good', 'good', 'good']);
      expect(log.troubles).toEqual(Array.from({ length: 21 }, () => expect.stringMatching(/^BAD_PAYLOAD/)));
    },
  );

  it.each(Object.keys(broken))('of the client that %s fails its call alone', async (how) => {
    const deserializer: Deserializer<{ response: unknown }, never> = {
      deserialize: (packet) => (packet.response === 'bad' ? broken[how]!() : packet) as never,
    };
    const { client } = await both({}, { deserializer });
    const calls = ['good', 'bad', 'good'].map((data) => lastValueFrom(client.send('echo', data)));
    const [first, second, third] = await Promise.allSettled(calls);
    expect(first).toMatchObject({ value: 'good' });
    expect(second).toMatchObject({ reason: { message: expect.stringMatching(/^mine$|gave no packet/) } });
    expect(third).toMatchObject({ value: 'good' });
    await expect(client.stream('echo', 'bad').next()).rejects.toThrow(/^mine$|gave no packet/);
    expect(await lastValueFrom(client.send('echo', 'good'))).toBe('good');
  });

  it.each([() => 1, Symbol('echo')])(
    'that gives a pattern without a text ends its call: %p',
    async (pattern) => {
      const deserializer: Deserializer<{ data: unknown }, never> = {
        deserialize: (packet) => (packet.data === 'bad' ? { ...packet, pattern } : packet) as never,
      };
      const { client } = await both({ deserializer }, {});
      const [bad, good] = ['bad', 'good'].map((data) => lastValueFrom(client.send('echo', data)));
      await expect(bad).rejects.toMatchObject({ code: 'BAD_PAYLOAD' });
      expect(await good).toBe('good');
    },
  );

  it('keeps for each call the asynchronous context that it entered', async () => {
    const store = new AsyncLocalStorage<unknown>();
    const deserializer: Deserializer<{ data: unknown }, Promise<never>> = {
      deserialize: (packet) => {
        store.enterWith(packet.data);
        return turns(1).then(() => packet as never);
      },
    };
    const { client, server } = await both({ deserializer }, {});
    server.addHandler('stored', async () => store.getStore());
    const answers = ['a', 'b', 'c'].map((data) => lastValueFrom(client.send('stored', data)));
    expect(await Promise.all(answers)).toEqual(['a', 'b', 'c']);
  });

  it('that takes its time does not start a call that was cancelled meanwhile', async () => {
    const { client } = await both(
      { deserializer: { deserialize: (packet) => turns(3).then(() => packet as never) } },
      {},
    );
    await client.connect();
    client.send('echo', 'cancelled').subscribe().unsubscribe();
    expect(await lastValueFrom(client.send('echo', 'next'))).toBe('next');
    expect(seen).toEqual(['next']);
  });
});

describe('a serializer that throws', () => {
  const serializer: Serializer<unknown, unknown> = {
    serialize: (packet) => {
      if (JSON.stringify(packet).includes('bad')) throw new Error('mine');
      return packet;
    },
  };

  it('on the server ends its call with UNSERIALIZABLE_ANSWER, and no other', async () => {
    const { client, log } = await both({ serializer }, {});
    await expect(lastValueFrom(client.send('echo', 'bad'))).rejects.toMatchObject({
      code: 'UNSERIALIZABLE_ANSWER',
    });
    expect(await lastValueFrom(client.send('echo', 'good'))).toBe('good');
    expect(log.troubles).toEqual([expect.stringMatching(/^UNSERIALIZABLE_ANSWER/)]);
  });

  it('on the client fails its call alone', async () => {
    const { client } = await both({}, { serializer });
    await expect(lastValueFrom(client.send('echo', 'bad'))).rejects.toThrow('mine');
    await expect(lastValueFrom(client.emit('echo', 'bad'))).rejects.toThrow('mine');
    await expect(client.stream('echo', 'bad').next()).rejects.toThrow('mine');
    expect(await lastValueFrom(client.send('echo', 'good'))).toBe('good');
  });
});
