import { beforeEach, describe, expect, it } from '@jest/globals';
import { Catch, Controller, type ExceptionFilter, UseFilters } from '@nestjs/common';
import { MessagePattern } from '@nestjs/microservices';
import { firstValueFrom, lastValueFrom, type Observable, of, take, throwError } from 'rxjs';
import { type UdsClient, UdsRecordBuilder } from '../../src/index.js';
import { Endless, Seen, seenAnew } from '../support/cancel-targets.js';
import { clientOf, socketPath } from '../support/nest.js';
import { rawFrame } from '../support/raw-frames.js';
import { RawServer, serverHello } from '../support/raw-server.js';
import { serveTapped } from '../support/tapped.js';
import { turns, until } from '../support/wait.js';
import { TYPE, WireTap } from '../support/wire-tap.js';

let seen = new Seen();

beforeEach(() => {
  seen = seenAnew();
});

/** So that Nest doesn't log what a test throws on purpose. */
@Catch()
class PassOn implements ExceptionFilter {
  catch(error: unknown): Observable<never> {
    return throwError(() => error);
  }
}

@Controller()
class Ends {
  @MessagePattern('value')
  value(): string {
    return 'value';
  }

  @MessagePattern('observable-of-one')
  observableOfOne(): Observable<string> {
    return of('value');
  }

  @MessagePattern('nothing')
  nothing(): undefined {
    return undefined;
  }

  @MessagePattern('stream-of-two')
  async *streamOfTwo(): AsyncGenerator<number> {
    yield* [1, 2];
  }

  @MessagePattern('fails')
  @UseFilters(PassOn)
  fails(): never {
    throw 'broken';
  }
}

const ping = (client: UdsClient): Promise<unknown> => lastValueFrom(client.send('ping', 1));

describe('a call that ends by itself sends no CANCEL', () => {
  it.each([
    ['one value, to firstValueFrom()', 'value', (values: Observable<unknown>) => firstValueFrom(values)],
    ['one value, to take(1)', 'value', (values: Observable<unknown>) => lastValueFrom(values.pipe(take(1)))],
    [
      'an Observable of one value, to firstValueFrom()',
      'observable-of-one',
      (values: Observable<unknown>) => firstValueFrom(values),
    ],
    ['no value', 'nothing', (values: Observable<unknown>) => firstValueFrom(values, { defaultValue: 1 })],
    ['a stream read to its end', 'stream-of-two', (values: Observable<unknown>) => lastValueFrom(values)],
    ['an error', 'fails', (values: Observable<unknown>) => lastValueFrom(values).catch(() => undefined)],
    [
      'its subscriber unsubscribes in its last value',
      'value',
      (values: Observable<unknown>) =>
        new Promise<void>((resolve) => {
          const subscription = values.subscribe(() => {
            subscription.unsubscribe();
            resolve();
          });
        }),
    ],
  ])('%s', async (_what, pattern, read) => {
    const { tap, client } = await serveTapped([Endless, Ends]);
    await read(client.send(pattern, 1));
    expect(await ping(client)).toBe('pong');
    expect(tap.calls).toEqual([
      [TYPE.REQUEST, 1],
      [TYPE.REQUEST, 2],
    ]);
  });

  it('a loop over stream() read to its end, and returned then', async () => {
    const { tap, client } = await serveTapped([Endless, Ends]);
    const reader = client.stream<number>('stream-of-two', 1);
    const read: number[] = [];
    for await (const value of reader) read.push(value);
    await reader.return?.();
    expect(read).toEqual([1, 2]);
    expect(await ping(client)).toBe('pong');
    expect(tap.sent.of(TYPE.CANCEL)).toEqual([]);
  });

  it('a call whose AbortSignal aborts afterwards', async () => {
    const { tap, client } = await serveTapped([Endless, Ends]);
    const controller = new AbortController();
    const record = new UdsRecordBuilder(1).setSignal(controller.signal).build();
    expect(await lastValueFrom(client.send('value', record))).toBe('value');
    controller.abort();
    expect(await ping(client)).toBe('pong');
    expect(tap.sent.of(TYPE.CANCEL)).toEqual([]);
  });

  it('an event whose sender unsubscribes', async () => {
    const { tap, client } = await serveTapped([Endless, Ends]);
    client.emit('event', 1).subscribe().unsubscribe();
    seen.others.open();
    await until(() => seen.eventsEnded === 1, 'the event ran');
    expect(await ping(client)).toBe('pong');
    expect(tap.sent.of(TYPE.CANCEL)).toEqual([]);
  });
});

describe('a call that is left twice sends one CANCEL', () => {
  it.each([
    [
      'unsubscribe() and unsubscribe()',
      (client: UdsClient) => {
        const subscription = client.send('observable', 'x').subscribe();
        return () => {
          subscription.unsubscribe();
          subscription.unsubscribe();
        };
      },
    ],
    [
      'an AbortSignal and unsubscribe()',
      (client: UdsClient) => {
        const controller = new AbortController();
        const record = new UdsRecordBuilder('x').setSignal(controller.signal).build();
        const subscription = client.send('observable', record).subscribe({ error: () => undefined });
        return () => {
          controller.abort();
          subscription.unsubscribe();
          controller.abort();
        };
      },
    ],
    [
      'unsubscribe() and an AbortSignal',
      (client: UdsClient) => {
        const controller = new AbortController();
        const record = new UdsRecordBuilder('x').setSignal(controller.signal).build();
        const subscription = client.send('observable', record).subscribe();
        return () => {
          subscription.unsubscribe();
          controller.abort();
        };
      },
    ],
    [
      'return() and return()',
      (client: UdsClient) => {
        const reader = client.stream('observable', 'x');
        void reader.next();
        return () => {
          void reader.return?.();
          void reader.return?.();
        };
      },
    ],
  ])('%s', async (_how, open) => {
    const { tap, client } = await serveTapped([Endless, Ends]);
    const leave = open(client);
    await until(() => seen.started === 1, 'it is at work');
    leave();
    expect(await ping(client)).toBe('pong');
    expect(tap.calls).toEqual([
      [TYPE.REQUEST, 1],
      [TYPE.CANCEL, 1],
      [TYPE.REQUEST, 2],
    ]);
    expect(seen).toMatchObject({ ends: ['torn down'], reasons: ['CALL_ABORTED'] });
  });
});

describe('a call that is left before it is written sends nothing', () => {
  it.each(['unsubscribe()', 'an AbortSignal', 'return() of stream()'])(
    'while the client still connects: %s',
    async (how) => {
      const server = await RawServer.listening(socketPath(), { greet: false, accept: () => undefined });
      const tap = await WireTap.before(server.path);
      const client = clientOf(tap.path, { closeTimeoutMs: 40 });
      const connected = client.connect();
      const controller = new AbortController();
      const record = new UdsRecordBuilder('x').setSignal(controller.signal).build();
      const reader = client.stream('left', 'x');
      if (how === 'unsubscribe()') client.send('left', 'x').subscribe().unsubscribe();
      if (how === 'an AbortSignal') client.send('left', record).subscribe({ error: () => undefined });
      if (how === 'return() of stream()') void reader.next();
      controller.abort();
      await reader.return?.();
      await until(() => server.sockets.length === 1, 'it has come');
      server.send(serverHello());
      await connected;
      client.send('next', 1).subscribe({ error: () => undefined });
      expect(await tap.callId('next')).toBe(1);
      expect(tap.calls).toEqual([[TYPE.REQUEST, 1]]);
    },
  );

  it('while the server has no room for it', async () => {
    const server = await RawServer.listening(socketPath(), { maxInFlight: 16 });
    const client = clientOf(server.path, { closeTimeoutMs: 40 });
    await client.connect();
    for (let call = 0; call < 16; call += 1) client.send('x', 1).subscribe({ error: () => undefined });
    const left = Array.from({ length: 5 }, () => client.send('left', 1).subscribe());
    client.send('next', 1).subscribe({ error: () => undefined });
    for (const subscription of left) subscription.unsubscribe();
    await server.frame(TYPE.REQUEST, 16);
    server.send(rawFrame({ type: TYPE.RESPONSE, id: 3 }));
    const { body } = await server.frame(TYPE.REQUEST, 17);
    expect(body.toString()).toContain('next');
    await turns();
    expect(server.frames.filter(({ type }) => type === TYPE.CANCEL)).toEqual([]);
    expect(server.frames.filter(({ type }) => type === TYPE.REQUEST)).toHaveLength(17);
  });
});
