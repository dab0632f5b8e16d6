import { describe, expect, it } from '@jest/globals';
import { Controller, NotFoundException } from '@nestjs/common';
import { Ctx, MessagePattern, Payload, RpcException, Transport } from '@nestjs/microservices';
import { InvalidMessageException } from '@nestjs/microservices/errors/invalid-message.exception.js';
import { Buffer } from 'node:buffer';
import { EMPTY, firstValueFrom, lastValueFrom, of, throwError, toArray } from 'rxjs';
import { RemoteError, UDS_TRANSPORT, UdsContext } from '../../src/index.js';
import { serve, serveAndConnect, clientOf } from '../support/nest.js';

@Controller()
class Answers {
  @MessagePattern('echo')
  echo(@Payload() data: unknown): unknown {
    return data;
  }

  @MessagePattern({ cmd: 'sum', of: 'numbers' })
  async sum(@Payload() numbers: number[]): Promise<number> {
    return numbers.reduce((sum, number) => sum + number, 0);
  }

  @MessagePattern('nothing')
  nothing(): undefined {
    return undefined;
  }

  @MessagePattern('of')
  observable(@Payload() count: number): unknown {
    return count === 0 ? EMPTY : of(...Array.from({ length: count }, (_, index) => index));
  }

  @MessagePattern('metadata')
  metadata(@Ctx() context: UdsContext): unknown {
    return { metadata: context.getMetadata() ?? 'absent', pattern: context.getPattern() };
  }

  @MessagePattern('pinned-here', UDS_TRANSPORT)
  pinnedHere(): string {
    return 'here';
  }

  @MessagePattern('pinned-elsewhere', Transport.KAFKA)
  pinnedElsewhere(): string {
    return 'elsewhere';
  }
}

const ERROR = { status: 'error', message: 'no stock', left: 0 };

@Controller()
class Failures {
  @MessagePattern('fails')
  fails(@Payload() how: 'text' | 'object' | 'rejects' | 'observable' | 'unknown' | 'http'): unknown {
    switch (how) {
      case 'text':
        throw new RpcException('no stock');
      case 'object':
        throw new RpcException(ERROR);
      case 'rejects':
        return Promise.reject(new RpcException(ERROR));
      case 'observable':
        return throwError(() => new RpcException(ERROR));
      case 'unknown':
        throw new Error('a secret of the server');
      case 'http':
        throw new NotFoundException('no such order');
    }
  }
}

describe('send', () => {
  it.each([
    ['a string', 'hi'],
    ['an empty string', ''],
    ['a string with lone surrogates', 'a\ud800b'],
    ['a number', 0],
    ['false', false],
    ['an object', { a: [1, { b: null }] }],
    ['an array', [1, 'two', null]],
  ])('brings %s there and back', async (_kind, value) => {
    const { client } = await serveAndConnect([Answers]);
    expect(await lastValueFrom(client.send('echo', value))).toEqual(value);
  });

  it('brings bytes there and back as a Buffer', async () => {
    const { client } = await serveAndConnect([Answers]);
    const bytes = Buffer.from([0, 255, 128, 10]);
    for (const given of [bytes, new Uint8Array(bytes)]) {
      const answer = await lastValueFrom(client.send<Buffer>('echo', given));
      expect(Buffer.isBuffer(answer)).toBe(true);
      expect([...answer]).toEqual([0, 255, 128, 10]);
    }
  });

  it('connects by itself, and only once it is subscribed to', async () => {
    const { server, path } = await serve([Answers]);
    let connections = 0;
    server.on('connection', () => (connections += 1));
    const client = clientOf(path);
    const answer = client.send('echo', 'hi');
    expect(connections).toBe(0);
    expect(await lastValueFrom(answer)).toBe('hi');
    expect(await lastValueFrom(answer)).toBe('hi');
    expect(connections).toBe(1);
  });

  it.each([
    ['as the handler has them', { cmd: 'sum', of: 'numbers' }],
    ['in another order', { of: 'numbers', cmd: 'sum' }],
  ])('finds a handler by an object whose keys come %s', async (_order, pattern) => {
    const { client } = await serveAndConnect([Answers]);
    expect(await lastValueFrom(client.send(pattern, [1, 2, 3]))).toBe(6);
  });

  it('completes without a value where the handler gives undefined', async () => {
    const { client } = await serveAndConnect([Answers]);
    expect(await lastValueFrom(client.send('nothing', 1).pipe(toArray()))).toStrictEqual([]);
  });

  it.each([0, 1, 2, 50])('gives each of the %d values of an Observable', async (count) => {
    const { client } = await serveAndConnect([Answers]);
    const values = await lastValueFrom(client.send('of', count).pipe(toArray()));
    expect(values).toStrictEqual(Array.from({ length: count }, (_, index) => index));
  });

  it('answers a thousand calls at once, each with its own answer', async () => {
    const { client } = await serveAndConnect([Answers]);
    const calls = Array.from({ length: 1000 }, (_, index) => lastValueFrom(client.send('echo', { index })));
    expect(await Promise.all(calls)).toEqual(calls.map((_, index) => ({ index })));
  });

  it.each([
    [null, 'data'],
    [undefined, 'data'],
    ['echo', null],
    ['echo', undefined],
  ])("refuses pattern %p with data %p with Nest's InvalidMessageException", async (pattern, data) => {
    const { client } = await serveAndConnect([Answers]);
    await expect(lastValueFrom(client.send(pattern, data))).rejects.toBeInstanceOf(InvalidMessageException);
    await expect(lastValueFrom(client.emit(pattern, data))).rejects.toBeInstanceOf(InvalidMessageException);
    await expect(client.stream(pattern, data).next()).rejects.toBeInstanceOf(InvalidMessageException);
  });

  it.each([[() => 1], [Symbol('x')], [1n], [{ big: 1n }]])(
    'refuses a pattern that JSON can not hold',
    async (pattern) => {
      const { client } = await serveAndConnect([Answers]);
      await expect(lastValueFrom(client.send(pattern, 1))).rejects.toMatchObject({ code: 'INVALID_PATTERN' });
      expect(await lastValueFrom(client.send('echo', 'still'))).toBe('still');
    },
  );

  it('carries the metadata that a dispatch hook of Nest adds', async () => {
    const { client } = await serveAndConnect([Answers]);
    client.setOnDispatchHook((packet) => (packet.metadata = { trace: 'a1' }));
    expect(await lastValueFrom(client.send('metadata', 1))).toEqual({
      metadata: { trace: 'a1' },
      pattern: 'metadata',
    });
  });

  it.each(['connected', 'not connected'])(
    'sends a payload as it was when it was called: %s',
    async (state) => {
      const { path } = await serve([Answers]);
      const client = clientOf(path);
      if (state === 'connected') await client.connect();
      const data = { count: 1 };
      const answer = lastValueFrom(client.send('echo', data));
      data.count = 2;
      expect(await answer).toEqual({ count: 1 });
    },
  );

  it('fails a call that has to wait at once where its payload can not be written', async () => {
    const client = clientOf('/nowhere/app.sock', { connectTimeoutMs: 10_000 });
    const waiting = lastValueFrom(client.send('echo', 1)).catch((error: unknown) => error);
    await expect(lastValueFrom(client.send('echo', { big: 1n }))).rejects.toMatchObject({
      code: 'UNSERIALIZABLE_PAYLOAD',
    });
    await client.close();
    expect(await waiting).toBeInstanceOf(Error);
  });

  it('fails a call or event of its own with INVALID_RECORD where the hook adds what is no metadata', async () => {
    const { client, log } = await serveAndConnect([Answers]);
    client.setOnDispatchHook((packet) => {
      if (packet.data === 'bad') Object.assign(packet, { metadata: { tenant: 5 } });
    });
    const refused = { code: 'INVALID_RECORD' };
    await expect(lastValueFrom(client.send('metadata', 'bad'))).rejects.toMatchObject(refused);
    await expect(lastValueFrom(client.emit('metadata', 'bad'))).rejects.toMatchObject(refused);
    await expect(client.stream('metadata', 'bad').next()).rejects.toMatchObject(refused);
    expect(await lastValueFrom(client.send('metadata', 'good'))).toMatchObject({ metadata: 'absent' });
    expect(log.troubles).toEqual([]);
  });

  it('gives undefined metadata where the caller attached none', async () => {
    const { client } = await serveAndConnect([Answers]);
    expect(await lastValueFrom(client.send('metadata', 1))).toMatchObject({ metadata: 'absent' });
  });

  it('binds a handler that is pinned to this transport, and not one of another', async () => {
    const { client } = await serveAndConnect([Answers]);
    expect(await lastValueFrom(client.send('pinned-here', 1))).toBe('here');
    await expect(lastValueFrom(client.send('pinned-elsewhere', 1))).rejects.toMatchObject({
      code: 'NO_HANDLER',
    });
  });

  it('fails with NO_HANDLER where nobody handles the pattern, and logs one line', async () => {
    const { client, log } = await serveAndConnect([Answers]);
    const failed = firstValueFrom(client.send('no\nsuch', 1));
    await expect(failed).rejects.toBeInstanceOf(RemoteError);
    await expect(failed).rejects.toMatchObject({
      code: 'NO_HANDLER',
      message: expect.stringMatching(/^There is no matching message handler .*"no\\nsuch"/),
    });
    expect(log.troubles).toEqual([expect.stringMatching(/^NO_HANDLER: .*"no\\nsuch"/)]);
    expect(await lastValueFrom(client.send('echo', 'still'))).toBe('still');
  });
});

describe('an error of a handler', () => {
  it.each([
    ['text' as const, { status: 'error', message: 'no stock' }],
    ['object' as const, ERROR],
    ['rejects' as const, ERROR],
    ['observable' as const, ERROR],
    ['unknown' as const, { status: 'error', message: 'Internal server error' }],
    ['http' as const, { status: 'error', message: 'Internal server error' }],
  ])('arrives verbatim as Nest made it: %s', async (how, error) => {
    const { client } = await serveAndConnect([Failures]);
    await expect(lastValueFrom(client.send('fails', how))).rejects.toEqual(error);
    await expect(client.stream('fails', how).next()).rejects.toEqual(error);
  });
});
