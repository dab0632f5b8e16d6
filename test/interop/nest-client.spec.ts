import { beforeEach, describe, expect, it } from '@jest/globals';
import { Inject, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ClientProxy, ClientsModule, ClientTCP, Transport } from '@nestjs/microservices';
import { firstValueFrom, lastValueFrom } from 'rxjs';
import { afterThisTest } from '../support/cleanup.js';
import { RecordedLog } from '../support/log.js';
import { serve } from '../support/nest.js';
import { until } from '../support/wait.js';
import { completes, fails, type Trace, trace } from '../transport/parity/trace.js';
import { asPort, nestClientOf, type Seen, seenAnew, serveByNest, Shop } from './nest-app.js';

let seen: Seen;

beforeEach(() => {
  seen = seenAnew();
});

/** A server of each kind with the same application, and Nest's own client of each. */
const SERVERS: [string, () => Promise<ClientTCP>][] = [
  ['UdsServer', async () => nestClientOf((await serve([Shop])).path)],
  ['ServerTCP', async () => nestClientOf((await serveByNest()).path)],
];
const [[, byUs]] = SERVERS as [(typeof SERVERS)[number]];

const NO_HANDLER = 'There is no matching message handler defined in the remote service.';
const UNKNOWN = { status: 'error', message: 'Internal server error' };

/** What is sent, and what its caller sees. */
const CALLS: [says: string, pattern: unknown, data: unknown, sees: Trace][] = [
  ['a string', 'echo', 'hello', completes('hello')],
  ['every plane of Unicode', 'echo', 'é€😀\u{10FFFF}\0', completes('é€😀\u{10FFFF}\0')],
  ['a lone surrogate', 'echo', '\ud83d', completes('\ud83d')],
  ['an object', 'echo', { a: [1, null, { b: '' }] }, completes({ a: [1, null, { b: '' }] })],
  ['numbers and nothings', 'echo', [0, -1.5, false, null, ''], completes([0, -1.5, false, null, ''])],
  ['a pattern that is an object', { cmd: 'sum' }, [1, 2, 3], completes(6)],
  ['a Buffer, as JSON writes it', 'echo', Buffer.from('a'), completes({ type: 'Buffer', data: [97] })],
  ['an answer of null', 'give-null', 1, completes(null)],
  ['an answer of undefined', 'give-undefined', 1, completes(undefined)],
  ['an answer of bytes, as JSON writes them', 'bytes', 1, completes({ type: 'Buffer', data: [0, 255] })],
  ['an Observable of one value', 'observable', ['a'], completes('a')],
  ['an Observable of several values', 'observable', ['a', 'b', 'c'], completes('a', 'b', 'c')],
  ['an Observable of values in turns of their own', 'apart', [1, 2, 3], completes(1, 2, 3)],
  ['an Observable without a value', 'empty', 1, completes(undefined)],
  ['an Observable that fails', 'broken-off', 1, fails({ status: 'error', message: 'sold out' }, 1)],
  ['an RpcException with a text', 'rpc-error', 'no', fails({ status: 'error', message: 'no' })],
  ['an RpcException with an object', 'rpc-error', { left: 0 }, fails({ left: 0 })],
  ['an HttpException, which is told to nobody', 'http-error', 1, fails(UNKNOWN)],
  ['an Error, which is told to nobody', 'error', 1, fails(UNKNOWN)],
  ['no handler', 'missing', 1, fails(NO_HANDLER)],
];

describe.each(SERVERS)('ClientTCP against %s', (_name, connected) => {
  it.each(CALLS)('sees %s', async (_says, pattern, data, sees) => {
    const client = await connected();
    expect(await trace(client.send(pattern, data))).toEqual(sees);
  });

  it('sends metadata with its dispatch hook', async () => {
    const client = await connected();
    client.setOnDispatchHook((packet) => {
      packet.metadata = { trace: 'a1', user: 'é' };
    });
    expect(await trace(client.send('metadata', 1))).toEqual(completes({ trace: 'a1', user: 'é' }));
  });

  it('sends no metadata by itself', async () => {
    const client = await connected();
    expect(await trace(client.send('metadata', 1))).toEqual(completes('none'));
  });

  it('emits events, in their order', async () => {
    const client = await connected();
    for (const line of [1, 'two', { three: '€' }]) await lastValueFrom(client.emit('noted', line));
    await until(() => seen.events.length === 3, 'all events ran');
    expect(seen.events).toEqual([1, 'two', { three: '€' }]);
  });

  it('has its calls answered in the order in which they end', async () => {
    const client = await connected();
    const order: unknown[] = [];
    const held = firstValueFrom(client.send('held', 'first')).then((value) => order.push(value));
    await until(() => seen.held === 1, 'the first one runs');
    order.push(await firstValueFrom(client.send('echo', 'second')));
    seen.gate.open();
    await held;
    expect(order).toEqual(['second', 'first']);
  });
});

describe('ClientTCP against UdsServer, other than against ServerTCP,', () => {
  it('reads the values of a generator', async () => {
    const client = await byUs();
    expect(await trace(client.send('generator', 3))).toEqual(completes(0, 1, 2));
  });
});

describe("an application that has ClientTCP from Nest's ClientsModule", () => {
  it('reaches a UdsServer with the path as its port', async () => {
    @Injectable()
    class Buyer {
      constructor(@Inject('SHOP') readonly shop: ClientProxy) {}
    }
    const { path, log } = await serve([Shop]);
    @Module({
      imports: [
        ClientsModule.register([{ name: 'SHOP', transport: Transport.TCP, options: { port: asPort(path) } }]),
      ],
      providers: [Buyer],
    })
    class BuyerModule {}
    const app = await NestFactory.createApplicationContext(BuyerModule, {
      logger: new RecordedLog(),
      abortOnError: false,
    });
    afterThisTest(() => app.close());
    const { shop } = app.get(Buyer);
    expect(shop).toBeInstanceOf(ClientTCP);
    expect(await trace(shop.send({ cmd: 'sum' }, [20, 22]))).toEqual(completes(42));
    expect(await trace(shop.send('observable', [1, 2]))).toEqual(completes(1, 2));
    expect(await trace(shop.send('rpc-error', 'no'))).toEqual(fails({ status: 'error', message: 'no' }));
    shop.emit('noted', 'from the module');
    await until(() => seen.events.length === 1, 'the event ran');
    expect(seen.events).toEqual(['from the module']);
    // The application closes its clients itself.
    await app.close();
    expect(log.troubles).toEqual([]);
  });
});
