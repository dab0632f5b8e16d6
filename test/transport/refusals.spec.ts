import { beforeEach, describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { Buffer } from 'node:buffer';
import { lastValueFrom, of } from 'rxjs';
import { RemoteError, UdsRecordBuilder, UsageError } from '../../src/index.js';
import { clientOf, serve, serveAndConnect, socketPath } from '../support/nest.js';
import { Gate, until } from '../support/wait.js';

let running = 0;
let most = 0;
let gate = new Gate();

beforeEach(() => {
  running = most = 0;
  gate = new Gate();
});

const bad: Record<string, () => unknown> = {
  'a function': () => () => 1,
  'a symbol': () => Symbol('x'),
  'a BigInt': () => 1n,
  'a BigInt inside': () => ({ amount: 1n }),
  'a cycle': () => {
    const cycle: Record<string, unknown> = {};
    cycle['self'] = cycle;
    return cycle;
  },
  'a getter that throws': () => ({
    get broken(): never {
      throw new Error('broken');
    },
  }),
  'a Proxy that throws': () =>
    new Proxy(
      {},
      {
        ownKeys(): never {
          throw new Error('broken');
        },
      },
    ),
  'a toJSON that throws': () => ({
    toJSON(): never {
      throw new Error('broken');
    },
  }),
};

@Controller()
class Answers {
  @MessagePattern('echo')
  echo(@Payload() data: unknown): unknown {
    return data;
  }

  @MessagePattern('bad')
  bad(@Payload() kind: string): unknown {
    return bad[kind]?.();
  }

  @MessagePattern('bad-observable')
  badObservable(@Payload() kind: string): unknown {
    return of('first', bad[kind]?.(), 'third');
  }

  @MessagePattern('bad-generator')
  async *badGenerator(@Payload() kind: string): AsyncGenerator {
    yield 'first';
    yield bad[kind]?.();
    yield 'third';
  }

  @MessagePattern('big')
  big(@Payload() bytes: number): Buffer {
    return Buffer.alloc(bytes);
  }

  @MessagePattern('counted')
  async counted(): Promise<number> {
    running += 1;
    most = Math.max(most, running);
    await gate.opened;
    running -= 1;
    return most;
  }
}

describe.each(Object.keys(bad))('an answer that is %s', (kind) => {
  it.each(['bad', 'bad-observable', 'bad-generator'])(
    'ends its own call with UNSERIALIZABLE_ANSWER: %s',
    async (pattern) => {
      const { client, log } = await serveAndConnect([Answers]);
      const failed = lastValueFrom(client.send(pattern, kind));
      const others = [1, 2, 3].map((number) => lastValueFrom(client.send('echo', number)));
      await expect(failed).rejects.toBeInstanceOf(RemoteError);
      await expect(failed).rejects.toMatchObject({ code: 'UNSERIALIZABLE_ANSWER' });
      expect(await Promise.all(others)).toEqual([1, 2, 3]);
      expect(log.troubles).toEqual([expect.stringMatching(/^UNSERIALIZABLE_ANSWER/)]);
    },
  );
});

describe('a payload that JSON can not hold', () => {
  it.each(Object.keys(bad))('fails its own call before it is sent: %s', async (kind) => {
    const { client } = await serveAndConnect([Answers]);
    const failed = lastValueFrom(client.send('echo', bad[kind]?.()));
    await expect(failed).rejects.toBeInstanceOf(UsageError);
    await expect(failed).rejects.toMatchObject({ code: 'UNSERIALIZABLE_PAYLOAD' });
    await expect(lastValueFrom(client.emit('echo', bad[kind]?.()))).rejects.toMatchObject({
      code: 'UNSERIALIZABLE_PAYLOAD',
    });
    expect(await lastValueFrom(client.send('echo', 'still'))).toBe('still');
  });
});

describe('sizes', () => {
  it('an answer larger than what the client takes fails with ANSWER_TOO_LARGE, naming its option', async () => {
    const { path, log } = await serve([Answers]);
    const client = clientOf(path, { maxFrameBytes: 65_536 });
    expect(await lastValueFrom(client.send<Buffer>('big', 65_536))).toHaveLength(65_536);
    await expect(lastValueFrom(client.send('big', 65_537))).rejects.toMatchObject({
      code: 'ANSWER_TOO_LARGE',
      message: expect.stringMatching(/65537 .*65536 .*maxFrameBytes/),
    });
    expect(await lastValueFrom(client.send('echo', 'still'))).toBe('still');
    expect(log.troubles).toEqual([expect.stringMatching(/^ANSWER_TOO_LARGE/)]);
  });

  it('a request larger than what the server takes fails with PAYLOAD_TOO_LARGE before it is sent', async () => {
    const { path, log } = await serve([Answers], { maxFrameBytes: 65_536 });
    const client = clientOf(path);
    const tooLarge = Buffer.alloc(65_537);
    await expect(lastValueFrom(client.send('echo', tooLarge))).rejects.toMatchObject({
      code: 'PAYLOAD_TOO_LARGE',
      message: expect.stringMatching(/65536 .*maxFrameBytes/),
    });
    await expect(lastValueFrom(client.emit('echo', tooLarge))).rejects.toMatchObject({
      code: 'PAYLOAD_TOO_LARGE',
    });
    await expect(client.stream('echo', tooLarge).next()).rejects.toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
    expect(await lastValueFrom(client.send('echo', 'still'))).toBe('still');
    expect(log.troubles).toEqual([]);
  });

  it('metadata larger than what the server takes is refused with METADATA_TOO_LARGE', async () => {
    const { client, log } = await serveAndConnect([Answers], { maxMetadataBytes: 20 });
    const record = (text: string): unknown => new UdsRecordBuilder('hi').setMetadata({ key: text }).build();
    expect(await lastValueFrom(client.send('echo', record('x'.repeat(10))))).toBe('hi');
    await expect(lastValueFrom(client.send('echo', record('x'.repeat(11))))).rejects.toMatchObject({
      code: 'METADATA_TOO_LARGE',
      message: expect.stringMatching(/21 .*20 .*maxMetadataBytes/),
    });
    expect(log.troubles).toEqual([expect.stringMatching(/^METADATA_TOO_LARGE/)]);
  });
});

describe('numbers of calls', () => {
  it('more calls than maxInFlight wait on the client, and all are answered', async () => {
    const { path, log } = await serve([Answers], { maxInFlight: 16 });
    const client = clientOf(path);
    const calls = Array.from({ length: 200 }, () => lastValueFrom(client.send('counted', 1)));
    await until(() => running === 16, 'as many run as may');
    gate.open();
    expect(await Promise.all(calls)).toHaveLength(200);
    expect(most).toBe(16);
    expect(log.troubles).toEqual([]);
  });

  it('one call more than maxQueuedCalls fails with QUEUE_FULL, and those that wait go on', async () => {
    const path = socketPath();
    const client = clientOf(path, { maxQueuedCalls: 5, connectTimeoutMs: 10_000 });
    const waiting = Array.from({ length: 5 }, (_, index) => lastValueFrom(client.send('echo', index)));
    await expect(lastValueFrom(client.send('echo', 5))).rejects.toMatchObject({
      code: 'QUEUE_FULL',
      retrySafe: true,
      message: expect.stringMatching(/^5 .*maxQueuedCalls/),
    });
    await expect(lastValueFrom(client.emit('echo', 5))).rejects.toMatchObject({ code: 'QUEUE_FULL' });
    await serve([Answers], { path });
    expect(await Promise.all(waiting)).toEqual([0, 1, 2, 3, 4]);
  });

  it('one connection more than maxConnections is refused with one line of log', async () => {
    const { path, client, log } = await serveAndConnect([Answers], { maxConnections: 1 });
    const second = clientOf(path, {
      connectTimeoutMs: 50,
      reconnectDelayMs: 1000,
      maxReconnectDelayMs: 1000,
    });
    await expect(second.connect()).rejects.toMatchObject({ code: 'HELLO_LOST' });
    expect(await lastValueFrom(client.send('echo', 'still'))).toBe('still');
    expect(log.troubles[0]).toMatch(/^TOO_MANY_CONNECTIONS: .*maxConnections/);
  });
});
