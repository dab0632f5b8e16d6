import { describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { Buffer } from 'node:buffer';
import { lastValueFrom, Observable, toArray } from 'rxjs';
import { clientOf, serve, serveAndConnect } from '../support/nest.js';
import { Gate, turns, until } from '../support/wait.js';

let seen: unknown[] = [];
let gate = new Gate();
let finished = 0;

@Controller()
class Events {
  @EventPattern('noted')
  note(@Payload() data: unknown): void {
    seen.push(data);
  }

  @MessagePattern('asked')
  ask(@Payload() data: unknown): unknown {
    seen.push(data);
    return data;
  }

  @EventPattern('shared')
  first(@Payload() data: unknown): void {
    seen.push(['first', data]);
  }

  @EventPattern('shared')
  async second(@Payload() data: unknown): Promise<void> {
    seen.push(['second', data]);
  }

  @EventPattern('fails')
  fail(@Payload() _data: unknown): void {
    throw new Error('broken handler');
  }

  @EventPattern('slow')
  async slow(@Payload() _data: unknown): Promise<void> {
    await gate.opened;
    finished += 1;
  }

  @EventPattern('streamed')
  streamed(@Payload() _data: unknown): Observable<number> {
    return new Observable((observer) => {
      void gate.opened.then(() => {
        finished += 1;
        observer.complete();
      });
    });
  }
}

function start(): void {
  seen = [];
  gate = new Gate();
  finished = 0;
}

describe('emit', () => {
  it('gives one undefined and completes', async () => {
    start();
    const { client } = await serveAndConnect([Events]);
    expect(await lastValueFrom(client.emit('noted', 1).pipe(toArray()))).toStrictEqual([undefined]);
    await until(() => seen.length === 1, 'the event arrived');
  });

  it('sends without a subscriber, also before there is a connection', async () => {
    start();
    const { path } = await serve([Events]);
    clientOf(path).emit('noted', 'hot');
    await until(() => seen.length === 1, 'the event arrived');
    expect(seen).toEqual(['hot']);
  });

  it('sends once, however often it is subscribed to', async () => {
    start();
    const { client } = await serveAndConnect([Events]);
    const sent = client.emit('noted', 'once');
    await Promise.all([lastValueFrom(sent), lastValueFrom(sent)]);
    await lastValueFrom(client.send('asked', 'end'));
    expect(seen).toEqual(['once', 'end']);
  });

  it('keeps the order of events and messages', async () => {
    start();
    const { path } = await serve([Events]);
    const client = clientOf(path);
    const answers: Promise<unknown>[] = [];
    const numbers = Array.from({ length: 300 }, (_, index) => index);
    for (const number of numbers) {
      if (number % 3 === 0) answers.push(lastValueFrom(client.send('asked', number)));
      else client.emit('noted', number);
    }
    await Promise.all(answers);
    await until(() => seen.length === numbers.length, 'all arrived');
    expect(seen).toEqual(numbers);
  });

  it('reaches each of several handlers', async () => {
    start();
    const { client } = await serveAndConnect([Events]);
    client.emit('shared', 7);
    await until(() => seen.length === 2, 'both handlers ran');
    expect(seen).toEqual(
      expect.arrayContaining([
        ['first', 7],
        ['second', 7],
      ]),
    );
  });

  it('arrives although the client closes right behind it', async () => {
    start();
    const { path } = await serve([Events]);
    for (let round = 0; round < 20; round += 1) {
      const client = clientOf(path);
      client.emit('noted', round);
      await client.close();
    }
    await until(() => seen.length === 20, 'all events arrived');
    expect(seen).toEqual(Array.from({ length: 20 }, (_, index) => index));
  });

  it('arrives whole although it is large and the client closes right behind it', async () => {
    start();
    const { path } = await serve([Events]);
    const client = clientOf(path, { closeTimeoutMs: 10_000 });
    await client.connect();
    client.emit('noted', Buffer.alloc(4 * 1024 ** 2));
    await client.close();
    await until(() => seen.length === 1, 'the event arrived');
    expect(seen[0]).toHaveLength(4 * 1024 ** 2);
  });

  it('arrives with all the others although the client closes right behind them', async () => {
    start();
    const { path, log } = await serve([Events]);
    const client = clientOf(path, { closeTimeoutMs: 10_000 });
    await client.connect();
    // the server gives credit back, to a client that has gone, before it has read the last one
    const events = Array.from({ length: 900 }, (_, index) => String(index)).concat('x'.repeat(100_000));
    for (const event of events) client.emit('noted', event);
    await client.close();
    await until(() => seen.length === events.length, 'all events arrived');
    expect(seen).toEqual(events);
    expect(log.troubles).toEqual([]);
  });

  it.each(['slow', 'streamed'])('runs to its end although its sender has left: %s', async (pattern) => {
    start();
    const { path, server } = await serve([Events], { closeTimeoutMs: 10_000 });
    const gone = new Promise((resolve) => server.on('connection', (socket) => socket.on('close', resolve)));
    const client = clientOf(path);
    await lastValueFrom(client.emit(pattern, 1));
    client.unwrap<{ destroy(): void }>().destroy();
    await gone;
    let isClosed = false;
    const closed = server.close().then(() => (isClosed = true));
    // Beyond the while in which a closing server still accepts.
    await turns(100);
    expect(isClosed).toBe(false);
    gate.open();
    await closed;
    expect(finished).toBe(1);
  });

  it('without credit holds back what was called behind it', async () => {
    start();
    const { path } = await serve([Events], { maxEvents: 16 });
    const client = clientOf(path);
    await client.connect();
    for (let count = 0; count < 16; count += 1) client.emit('slow', count);
    client.emit('noted', 'event');
    const answer = lastValueFrom(client.send('asked', 'message'));
    await turns(10);
    expect(seen).toEqual([]);
    gate.open();
    await answer;
    expect(seen).toEqual(['event', 'message']);
  });

  it('sends more events than may be under way, each once its turn has come', async () => {
    start();
    const { path } = await serve([Events], { maxEvents: 16 });
    const client = clientOf(path);
    const sent = Array.from({ length: 100 }, () => lastValueFrom(client.emit('slow', 1)));
    await Promise.all(sent.slice(0, 16));
    expect(finished).toBe(0);
    gate.open();
    await Promise.all(sent);
    await until(() => finished === 100, 'all handlers ended');
  });

  it('is dropped with one line of log where nobody handles it', async () => {
    start();
    const { client, log } = await serveAndConnect([Events]);
    await lastValueFrom(client.emit('nobody', 1));
    expect(await lastValueFrom(client.send('asked', 1))).toBe(1);
    expect(log.troubles).toEqual([expect.stringContaining('"nobody"')]);
  });

  it('fails on the server alone where its handler throws', async () => {
    start();
    const { client, log } = await serveAndConnect([Events]);
    await lastValueFrom(client.emit('fails', 1));
    expect(await lastValueFrom(client.send('asked', 1))).toBe(1);
    expect(log.troubles).toEqual(['broken handler']);
  });

  it('settles though it is called from the payload of one that can not be written', async () => {
    start();
    const { client } = await serveAndConnect([Events]);
    let inner: Promise<unknown> | undefined;
    const payload = {
      toJSON(): never {
        inner = lastValueFrom(client.emit('noted', 'inner'));
        throw new Error('mine');
      },
    };
    await expect(lastValueFrom(client.emit('noted', payload))).rejects.toMatchObject({
      code: 'UNSERIALIZABLE_PAYLOAD',
    });
    await inner;
    await until(() => seen.length === 1, 'the inner one arrived');
  });

  it('errors where nobody listens', async () => {
    const { path, app } = await serve([Events]);
    await app.close();
    const client = clientOf(path, { connectTimeoutMs: 50 });
    await expect(lastValueFrom(client.emit('noted', 1))).rejects.toMatchObject({ code: 'SERVER_NOT_FOUND' });
  });
});
