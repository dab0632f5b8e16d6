import { beforeEach, describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { MessagePattern } from '@nestjs/microservices';
import type { Socket } from 'node:net';
import { firstValueFrom } from 'rxjs';
import { type UdsClient, type UdsClientOptions, type UdsError, UdsRecordBuilder } from '../../src/index.js';
import { clientOf, serve, socketPath } from '../support/nest.js';
import { RawServer } from '../support/raw-server.js';
import { turns, until } from '../support/wait.js';

const CALLS = 400;
/** Some 800 KiB together: more than the system takes for a peer that does not read. */
const FILL = 'x'.repeat(2_048);

let ran: number[] = [];

beforeEach(() => {
  ran = [];
});

@Controller()
class Numbers {
  @MessagePattern('number')
  number({ number }: { number: number }): number {
    ran.push(number);
    return number;
  }
}

const codeOf = (error: unknown): string => (error as UdsError).code;

/** A client that is connected to a server which reads nothing, and its socket there. */
async function connected(
  options: Partial<UdsClientOptions> = {},
): Promise<{ path: string; client: UdsClient; there: Socket; server: RawServer }> {
  const path = socketPath();
  const server = await RawServer.listening(path, { greet: true, accept: (socket) => socket.pause() });
  const client = clientOf(path, {
    connectTimeoutMs: 10_000,
    reconnectDelayMs: 5,
    maxReconnectDelayMs: 5,
    ...options,
  });
  await client.connect();
  return { path, client, there: server.sockets[0]!, server };
}

/** What becomes of a call: its answer, or the code with which it failed. */
const send = (client: UdsClient, number: number): Promise<unknown> =>
  firstValueFrom(client.send('number', { number, fill: FILL })).catch((error: unknown) => codeOf(error));

const numbers = Array.from({ length: CALLS }, (_, number) => number);

describe('a request that is written to a server which has just gone', () => {
  it('has not left, and is answered by the next server', async () => {
    const { path, client, there, server } = await connected();
    there.destroy();
    // In the same tick: the end of the connection is not read yet, and the write is refused.
    const call = send(client, 1);
    await server.close();
    await serve([Numbers], { path });
    expect(await call).toBe(1);
    expect(ran).toEqual([1]);
  });

  it('is the one that was sent, whatever its caller has done to the payload since', async () => {
    const { path, client, there, server } = await connected();
    const payload = { number: 1 };
    there.destroy();
    const call = firstValueFrom(client.send('number', payload));
    payload.number = 2;
    await server.close();
    await serve([Numbers], { path });
    expect(await call).toBe(1);
  });
});

describe('requests that lie in the socket of the client when their connection is lost', () => {
  it('are answered by the next server, in order; those that may have left fail with CONNECTION_LOST', async () => {
    const { path, client, server } = await connected();
    const calls = numbers.map((number) => send(client, number));
    await until(() => client.unwrap<Socket>().writableLength > 0, 'the system takes no more');
    await server.close();
    await serve([Numbers], { path });
    const ends = await Promise.all(calls);
    const lost = ends.filter((end) => end === 'CONNECTION_LOST').length;
    expect(lost).toBeGreaterThan(0);
    expect(lost).toBeLessThan(CALLS / 2);
    expect(ends).toEqual([...Array<string>(lost).fill('CONNECTION_LOST'), ...numbers.slice(lost)]);
    expect(ran).toEqual(numbers.slice(lost));
  });

  it('are before those that waited behind them', async () => {
    const { path, client, server } = await connected({ maxBufferedBytes: 65_536 });
    const calls = numbers.map((number) => send(client, number));
    await until(() => client.unwrap<Socket>().writableLength > 0, 'the system takes no more');
    // Where so much waits in the socket the next calls wait in the queue of the client.
    expect(client.unwrap<Socket>().writableLength).toBeLessThan((CALLS * FILL.length) / 2);
    await server.close();
    await serve([Numbers], { path });
    await Promise.all(calls);
    expect(ran.length).toBeGreaterThan(CALLS / 2);
    expect(ran).toEqual(ran.toSorted((a, b) => a - b));
  });

  it('are not sent where their caller has left or their time is up meanwhile', async () => {
    const { path, client, server } = await connected();
    const calls = numbers.map((number) => send(client, number));
    const cancelled = client.send('number', { number: CALLS }).subscribe();
    const hasted = new UdsRecordBuilder({ number: CALLS + 1 }).setTimeoutMs(50).build();
    const late = firstValueFrom(client.send('number', hasted)).catch((error: unknown) => codeOf(error));
    await server.close();
    cancelled.unsubscribe();
    expect(await late).toBe('DEADLINE_EXCEEDED');
    await serve([Numbers], { path });
    await Promise.all(calls);
    expect(ran).not.toContain(CALLS);
    expect(ran).not.toContain(CALLS + 1);
  });

  it('fail with CLIENT_CLOSED where the client is closed and cuts them', async () => {
    const path = socketPath();
    await RawServer.listening(path, { greet: true, accept: (socket) => socket.pause() });
    const client = clientOf(path, { closeTimeoutMs: 50 });
    await client.connect();
    const calls = numbers.map((number) => send(client, number));
    await client.close();
    expect(new Set(await Promise.all(calls))).toEqual(new Set(['CLIENT_CLOSED']));
  });

  it('are waited for by a close that has begun before', async () => {
    const { path, client, server } = await connected();
    const calls = numbers.map((number) => send(client, number));
    await until(() => client.unwrap<Socket>().writableLength > 0, 'the system takes no more');
    const states: string[] = [];
    client.status.subscribe((state) => void states.push(state));
    let isClosed = false;
    const closed = client.close().then(() => (isClosed = true));
    await server.close();
    await until(() => states.includes('disconnected'), 'the client has lost its server');
    await turns();
    expect(isClosed).toBe(false);
    await serve([Numbers], { path });
    await closed;
    expect((await Promise.all(calls)).at(-1)).toBe(CALLS - 1);
  });
});
