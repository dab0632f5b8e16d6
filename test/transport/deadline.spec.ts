import { beforeEach, describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { Ctx, MessagePattern, Payload } from '@nestjs/microservices';
import { setTimeout as delay } from 'node:timers/promises';
import { lastValueFrom, Observable, toArray } from 'rxjs';
import { ConnectionError, UdsContext, UdsError, UdsRecordBuilder } from '../../src/index.js';
import { clientOf, serve, serveAndConnect, socketPath } from '../support/nest.js';
import { RawServer } from '../support/raw-server.js';
import { until } from '../support/wait.js';

let aborted: UdsError[] = [];
let tornDown = 0;

beforeEach(() => {
  aborted = [];
  tornDown = 0;
});

@Controller()
class Slow {
  /** Ends when it is told to, and then still answers. */
  @MessagePattern('stubborn')
  stubborn(@Ctx() context: UdsContext): Promise<string> {
    return new Promise((resolve) => {
      context.signal.addEventListener('abort', () => {
        aborted.push(context.signal.reason as UdsError);
        resolve('too late');
      });
    });
  }

  @MessagePattern('silent')
  silent(): Observable<never> {
    return new Observable(() => () => (tornDown += 1));
  }

  @MessagePattern('slow-stream')
  async *slowStream(@Payload() pauseMs: number): AsyncGenerator<number> {
    yield 1;
    await delay(pauseMs);
    yield 2;
  }
}

const timeout = (timeoutMs: number): unknown => new UdsRecordBuilder(1).setTimeoutMs(timeoutMs).build();

describe('a call without an answer in time', () => {
  it('fails with DEADLINE_EXCEEDED after requestTimeoutMs', async () => {
    const { path } = await serve([Slow]);
    const client = clientOf(path, { requestTimeoutMs: 60 });
    const startedMs = performance.now();
    const failed = lastValueFrom(client.send('stubborn', 1));
    await expect(failed).rejects.toBeInstanceOf(ConnectionError);
    await expect(failed).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(59);
  });

  it.each([
    ['shorter', 30_000, 50],
    ['there where the default is off', 0, 50],
  ])('fails by its own time limit where that is %s', async (_which, requestTimeoutMs, own) => {
    const { path } = await serve([Slow]);
    const client = clientOf(path, { requestTimeoutMs });
    await expect(lastValueFrom(client.send('silent', timeout(own)))).rejects.toMatchObject({
      code: 'DEADLINE_EXCEEDED',
    });
    await until(() => tornDown === 1, 'the server stopped its work');
  });

  it('goes on without a limit where its own is 0', async () => {
    const { path } = await serve([Slow]);
    const client = clientOf(path, { requestTimeoutMs: 40 });
    let error: unknown;
    const subscription = client
      .send('stubborn', timeout(0))
      .subscribe({ error: (failure: unknown) => (error = failure) });
    await expect(lastValueFrom(client.send('silent', 1))).rejects.toMatchObject({
      code: 'DEADLINE_EXCEEDED',
    });
    expect(error).toBeUndefined();
    subscription.unsubscribe();
  });

  it('has its handler told: the signal aborts with the reason', async () => {
    const { client } = await serveAndConnect([Slow]);
    await expect(lastValueFrom(client.send('stubborn', timeout(50)))).rejects.toMatchObject({
      code: 'DEADLINE_EXCEEDED',
    });
    await until(() => aborted.length === 1, 'the signal aborted');
    expect(['DEADLINE_EXCEEDED', 'CALL_ABORTED']).toContain(aborted[0]?.code);
  });

  it('does not fail once its first value has come, however long the next one takes', async () => {
    const { client } = await serveAndConnect([Slow]);
    const record = new UdsRecordBuilder(600).setTimeoutMs(400).build();
    expect(await lastValueFrom(client.send('slow-stream', record).pipe(toArray()))).toStrictEqual([1, 2]);
  });

  it('fails on the client although the server does nothing at all', async () => {
    const server = await RawServer.listening(socketPath());
    const client = clientOf(server.path, { requestTimeoutMs: 60 });
    await expect(lastValueFrom(client.send('stubborn', 1))).rejects.toMatchObject({
      code: 'DEADLINE_EXCEEDED',
    });
    // it tells the server all the same
    await server.frame(9, 1);
  });

  it.each([
    ['one that is large', 0, 'x'.repeat(100_000)],
    ['the last of as many as are written together', 15, 'x'],
  ])('fails in time though it is written at once: %s', async (_which, before, payload) => {
    const server = await RawServer.listening(socketPath());
    const client = clientOf(server.path, { requestTimeoutMs: 0 });
    await client.connect();
    for (let call = 0; call < before; call += 1) client.send('x', 1).subscribe({ error: () => undefined });
    const record = new UdsRecordBuilder(payload).setTimeoutMs(200).build();
    await expect(lastValueFrom(client.send('x', record))).rejects.toMatchObject({
      code: 'DEADLINE_EXCEEDED',
    });
  });

  it('fails while it still waits to be sent', async () => {
    const server = await RawServer.listening(socketPath(), { maxInFlight: 16 });
    const client = clientOf(server.path, { requestTimeoutMs: 0 });
    for (let call = 0; call < 16; call += 1) client.send('stubborn', 1).subscribe({ error: () => undefined });
    await server.frame(3, 16);
    await expect(lastValueFrom(client.send('late', timeout(50)))).rejects.toMatchObject({
      code: 'DEADLINE_EXCEEDED',
    });
    expect(server.frames.filter(({ type }) => type === 3)).toHaveLength(16);
  });
});

describe('on the wire', () => {
  it('the time left travels with the request', async () => {
    const server = await RawServer.listening(socketPath());
    const client = clientOf(server.path, { requestTimeoutMs: 5000 });
    for (const data of [1, timeout(777), timeout(0)])
      client.send('x', data).subscribe({ error: () => undefined });
    const times: number[] = [];
    for (const id of [1, 2, 3]) times.push((await server.frame(3, id)).body.readUInt32BE(0));
    expect(times[0]).toBeGreaterThan(3000);
    expect(times[0]).toBeLessThanOrEqual(5000);
    expect(times[1]).toBeGreaterThan(0);
    expect(times[1]).toBeLessThanOrEqual(777);
    expect(times[2]).toBe(0);
  });
});
