import { beforeEach, describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { Ctx, EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { lastValueFrom } from 'rxjs';
import { UdsContext } from '../../src/index.js';
import { clientOf, serve, socketPath } from '../support/nest.js';
import { RawServer, serverHello } from '../support/raw-server.js';
import { Gate, until } from '../support/wait.js';

let gate = new Gate();
/** What came through each connection, in order. */
let arrived = new Map<Socket, unknown[]>();

beforeEach(() => {
  gate = new Gate();
  arrived = new Map();
});

const counts = (): number[] => [...arrived.values()].map(({ length }) => length);
const all = (): unknown[] => [...arrived.values()].flat();
const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

@Controller()
class Answers {
  @MessagePattern('ping')
  ping(@Payload() data: unknown, @Ctx() context: UdsContext): unknown {
    this.note(context, data);
    return data;
  }

  @EventPattern('noted')
  note(@Ctx() context: UdsContext, @Payload() data: unknown): void {
    const socket = context.getSocketRef();
    arrived.set(socket, [...(arrived.get(socket) ?? []), data]);
  }

  @MessagePattern('gated')
  async gated(@Payload() data: unknown, @Ctx() context: UdsContext): Promise<unknown> {
    this.note(context, data);
    await gate.opened;
    return data;
  }

  @MessagePattern('stats')
  stats(@Ctx() context: UdsContext): unknown {
    return context.stats();
  }
}

describe('a client', () => {
  it('has one connection where it was asked for no more', async () => {
    const { path } = await serve([Answers]);
    const client = clientOf(path);
    await Promise.all(upTo(100).map((data) => lastValueFrom(client.send('ping', data))));
    expect(counts()).toEqual([100]);
  });

  it('spreads the calls that are in flight evenly over its connections', async () => {
    const { path } = await serve([Answers]);
    const client = clientOf(path, { connections: 4 });
    await client.connect();
    const answers = upTo(100).map((data) => lastValueFrom(client.send('gated', data)));
    await until(() => all().length === 100, 'all run');
    expect(counts()).toEqual([25, 25, 25, 25]);
    gate.open();
    expect(await Promise.all(answers)).toEqual(upTo(100));
  });

  it('has its connections take turns where nothing is in flight, for events too', async () => {
    const { path } = await serve([Answers]);
    const client = clientOf(path, { connections: 4 });
    await client.connect();
    for (const data of upTo(8)) await lastValueFrom(client.send('ping', data));
    for (const data of upTo(8)) await lastValueFrom(client.emit('noted', data));
    await until(() => all().length === 16, 'all ran');
    expect(counts()).toEqual([4, 4, 4, 4]);
  });

  it('keeps the order of messages and events within each connection', async () => {
    const { path } = await serve([Answers]);
    const client = clientOf(path, { connections: 3 });
    await client.connect();
    for (const data of upTo(300)) {
      if (data % 2 === 0) client.emit('noted', data);
      else client.send('ping', data).subscribe();
    }
    await until(() => all().length === 300, 'all ran');
    const byNumber = (one: unknown, other: unknown): number => Number(one) - Number(other);
    for (const data of arrived.values()) expect(data).toEqual([...data].sort(byNumber));
    expect(all().sort(byNumber)).toEqual(upTo(300));
  });

  it('sends what was called before any connection stood', async () => {
    const { path } = await serve([Answers]);
    const client = clientOf(path, { connections: 3 });
    const answers = upTo(50).map((data) => lastValueFrom(client.send('ping', data)));
    expect(await Promise.all(answers)).toEqual(upTo(50));
    await client.connect();
    expect(await lastValueFrom(client.send('stats', 1))).toMatchObject({ connections: 3 });
  });

  it('hears the events of each of its sockets, and is disconnected with the last one alone', async () => {
    const { path } = await serve([Answers]);
    const client = clientOf(path, { connections: 2 });
    const states: string[] = [];
    let closes = 0;
    client.status.subscribe((state) => states.push(state));
    await client.connect();
    client.on('close', () => (closes += 1));
    client.unwrap<Socket>().destroy();
    await until(() => closes === 1, 'the first socket closed');
    expect(states).toEqual(['connected']);
    client.unwrap<Socket>().destroy();
    await until(() => closes === 2, 'the second socket closed');
    expect(states).toEqual(['connected', 'disconnected']);
  });

  it('closes them all, once what runs on each is over', async () => {
    const { path } = await serve([Answers]);
    const client = clientOf(path, { connections: 3 });
    await client.connect();
    const answers = upTo(6).map((data) => lastValueFrom(client.send('gated', data)));
    await until(() => all().length === 6, 'all run');
    const sockets = [...arrived.keys()];
    const closed = client.close();
    gate.open();
    expect(await Promise.all(answers)).toEqual(upTo(6));
    await closed;
    await until(() => sockets.every(({ destroyed }) => destroyed), 'the server saw each of them end');
  });
});

describe('one connection of several that is lost', () => {
  it('fails its own calls alone, and the next call brings it back', async () => {
    const { path } = await serve([Answers]);
    const client = clientOf(path, { connections: 3 });
    await client.connect();
    const answers = upTo(9).map((data) => lastValueFrom(client.send('gated', data)));
    const settled = Promise.allSettled(answers);
    await until(() => all().length === 9, 'all run');
    client.unwrap<Socket>().destroy();
    await expect(answers[0]).rejects.toMatchObject({ code: 'CONNECTION_LOST' });
    gate.open();
    const results = await settled;
    expect(results.filter(({ status }) => status === 'rejected')).toHaveLength(3);
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(6);
    await lastValueFrom(client.send('ping', 1));
    await client.connect();
    expect(await lastValueFrom(client.send('stats', 1))).toMatchObject({ connections: 3 });
  });
});

describe('a server that takes fewer connections than the client asks for', () => {
  it('has connect() fail, serves the calls, and is asked again once there is room', async () => {
    const { path, log } = await serve([Answers], { maxConnections: 2, maxLogLinesPerCode: 1000 });
    const other = clientOf(path);
    await other.connect();
    const client = clientOf(path, { connections: 2, connectTimeoutMs: 1_500 });
    await expect(client.connect()).rejects.toMatchObject({ code: 'HELLO_LOST' });
    // An attempt that was under way then is refused before these are answered.
    for (const data of upTo(10)) expect(await lastValueFrom(client.send('ping', data))).toBe(data);
    const refused = log.troubles.length;
    expect(refused).toBeGreaterThan(0);
    // Each call could ask again, and none does for connectTimeoutMs.
    for (const data of upTo(50)) expect(await lastValueFrom(client.send('ping', data))).toBe(data);
    expect(log.troubles).toHaveLength(refused);

    await other.close();
    let connections = 0;
    while (connections < 2) {
      ({ connections } = await lastValueFrom(client.send<{ connections: number }>('stats', 1)));
      await client.connect().catch(() => undefined);
    }
  });
});

describe('connect() where some of the connections are dialled already', () => {
  const failureOf = async (connecting: Promise<unknown>): Promise<unknown> =>
    await connecting.catch((error: unknown) => error);

  it('settles within connectTimeoutMs of its own, though they are tried for longer', async () => {
    const path = socketPath();
    const old = await serve([Answers], { path });
    const times = { connectTimeoutMs: 200, reconnectTimeoutMs: 60_000 };
    const client = clientOf(path, { connections: 2, ...times });
    await client.connect();
    const states: string[] = [];
    client.status.subscribe((state) => states.push(state));
    await old.app.close();
    const { log } = await serve([Answers], { path, maxConnections: 1 });
    // The first is there again, and the other one is tried for as long as a lost server is.
    await until(() => states.at(-1) === 'connected' && log.troubles.length > 0, 'it is tried for');
    const beganMs = performance.now();
    expect(await failureOf(client.connect())).toMatchObject({ code: 'HELLO_LOST' });
    expect(performance.now() - beganMs).toBeLessThan(5000);
  });

  it('has all of its connectTimeoutMs, though they are tried for less long', async () => {
    const { path } = await serve([Answers], { maxConnections: 2 });
    const other = clientOf(path);
    await other.connect();
    const client = clientOf(path, { connections: 2, connectTimeoutMs: 2000 });
    const first = failureOf(client.connect());
    await delay(1000);
    const second = client.connect();
    expect(await first).toMatchObject({ code: 'HELLO_LOST' });
    await other.close();
    await second;
    expect(await lastValueFrom(client.send('stats', 1))).toMatchObject({ connections: 2 });
  });

  it('says what they failed with, where its time ends in the middle of another attempt', async () => {
    const server = await RawServer.listening(socketPath(), {
      accept: (socket) => {
        socket.resume();
        if (server.sockets.length === 1) socket.write(serverHello());
        // The second speaks something else; the third one hangs.
        if (server.sockets.length === 2) socket.end('220 ready\r\n');
      },
    });
    const client = clientOf(server.path, { connections: 2, connectTimeoutMs: 1000 });
    expect(await failureOf(client.connect())).toMatchObject({ code: 'BAD_HELLO' });
    expect(server.sockets).toHaveLength(3);
  });

  it('is told of a close, though they were dialled before it was called', async () => {
    const { path, log } = await serve([Answers], { maxConnections: 1 });
    const client = clientOf(path, { connections: 2, connectTimeoutMs: 60_000 });
    const connecting = [failureOf(client.connect()), failureOf(client.connect())];
    await until(() => log.troubles.length > 0, 'the second one is refused');
    await client.close();
    expect(await Promise.all(connecting)).toMatchObject([
      { code: 'CLIENT_CLOSED' },
      { code: 'CLIENT_CLOSED' },
    ]);
  });
});

describe('a server that is replaced', () => {
  it('is left by all connections of a client, and each call is answered by one of the two', async () => {
    const path = socketPath();
    const old = await serve([Answers], { path });
    const client = clientOf(path, { connections: 3 });
    await client.connect();
    const running = upTo(6).map((data) => lastValueFrom(client.send('gated', data)));
    await until(() => all().length === 6, 'all run');
    const closed = old.app.close();
    gate.open();
    expect(await Promise.all(running)).toEqual(upTo(6));
    await closed;
    await serve([Answers], { path });
    await client.connect();
    expect(await lastValueFrom(client.send('stats', 1))).toMatchObject({ connections: 3 });
  });
});
