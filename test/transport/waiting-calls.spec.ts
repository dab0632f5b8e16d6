import { describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { lastValueFrom, retry, tap } from 'rxjs';
import { type UdsClient, UdsRecordBuilder } from '../../src/index.js';
import { afterThisTest } from '../support/cleanup.js';
import { clientOf, serve, socketPath } from '../support/nest.js';
import { FrameReader, rawCall, rawFrame, rawHello } from '../support/raw-frames.js';
import { RawServer, serverHello } from '../support/raw-server.js';
import { Gate, turns, until } from '../support/wait.js';

const FLOOR_EVENTS = 16;
const LONG_MS = 30_000;
const MAX_MS = 0x7fffffff;

const gate = { reached: new Gate(), passed: new Gate() };

@Controller()
class Echo {
  @MessagePattern('gated')
  async gated(): Promise<void> {
    gate.reached.open();
    await gate.passed.opened;
  }

  @MessagePattern('echo')
  echo(@Payload() data: unknown): unknown {
    return data;
  }
}

/** Ends what still waits when the test ends. */
const quietly = { error: () => undefined };

/** Answers each message with nothing; `greets` says which connection is told hello. */
async function listen(greets: (connection: number) => boolean): Promise<{ path: string; sockets: Socket[] }> {
  const path = socketPath();
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    if (!greets(sockets.length)) return;
    socket.write(serverHello());
    const reader = new FrameReader();
    let answered = 0;
    socket.on('data', (chunk: Buffer) => {
      reader.read(chunk);
      for (const { type, id } of reader.frames.slice(answered))
        if (type === 3) socket.write(rawFrame({ type: 5, id }));
      answered = reader.frames.length;
    });
  });
  server.listen(path);
  await once(server, 'listening');
  afterThisTest(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return { path, sockets };
}

/** A client whose events have no credit left, with one more event that waits. */
async function withoutCredit(record: unknown): Promise<{ server: RawServer; client: UdsClient }> {
  const server = await RawServer.listening(socketPath(), { maxEvents: FLOOR_EVENTS });
  const client = clientOf(server.path, { closeTimeoutMs: 50 });
  await client.connect();
  for (let event = 0; event < FLOOR_EVENTS; event += 1) client.emit('x', 1);
  client.emit('blocked', record).subscribe(quietly);
  return { server, client };
}

/** Calls, and calls again when that fails. */
async function askUntil(over: AbortSignal, client: UdsClient): Promise<void> {
  while (!over.aborted) await lastValueFrom(client.send('x', 1)).catch(() => turns(1));
}

describe('a call that waits behind another', () => {
  it('is sent when the one before it is aborted', async () => {
    const abort = new AbortController();
    const { server, client } = await withoutCredit(
      new UdsRecordBuilder(1).setSignal(abort.signal).setTimeoutMs(0).build(),
    );
    client.send('behind', 1).subscribe(quietly);
    await turns();
    abort.abort();
    expect((await server.frame(3, 1)).body.toString()).toContain('behind');
  });

  it('is sent when the time of the one before it is up', async () => {
    const { server, client } = await withoutCredit(new UdsRecordBuilder(1).setTimeoutMs(50).build());
    client.send('behind', 1).subscribe(quietly);
    expect((await server.frame(3, 1)).body.toString()).toContain('behind');
  });
});

describe('a call that is sent again when it fails', () => {
  it('waits for an attempt of its own, and lets the event loop go on', async () => {
    const client = clientOf(socketPath(), { connectTimeoutMs: 40 });
    let loops = 0;
    const counting = setInterval(() => (loops += 1), 1);
    afterThisTest(() => clearInterval(counting));
    const seen: number[] = [];
    const failing = tap({ error: () => seen.push(loops) });
    await expect(lastValueFrom(client.send('x', 1).pipe(failing, retry(3)))).rejects.toMatchObject({
      code: 'SERVER_NOT_FOUND',
    });
    expect(seen).toHaveLength(4);
    expect([...new Set(seen)]).toEqual(seen);
  });

  it('does not keep a close from ending', async () => {
    const client = clientOf(socketPath(), { connectTimeoutMs: 30, closeTimeoutMs: 100 });
    const over = new AbortController();
    const asking = askUntil(over.signal, client);
    await turns();
    await client.close();
    over.abort();
    await asking;
  });
});

describe('a close between two attempts to connect', () => {
  it('ends at once, and connect() fails with CLIENT_CLOSED', async () => {
    // So long that a random share of it is long too.
    const delays = { reconnectDelayMs: MAX_MS, maxReconnectDelayMs: MAX_MS };
    const client = clientOf(socketPath(), { connectTimeoutMs: MAX_MS, ...delays });
    const connecting = client.connect();
    const failed = expect(connecting).rejects.toMatchObject({ code: 'CLIENT_CLOSED' });
    await turns(20);
    await client.close();
    await failed;
  });
});

describe('a client of several connections', () => {
  it('dials one, then the others at most 16 at a time', async () => {
    const { path, sockets } = await listen((connection) => connection === 1);
    const client = clientOf(path, { connections: 100, connectTimeoutMs: LONG_MS });
    const connecting = client.connect().catch(() => undefined);
    await until(() => sockets.length > 1, 'the first one stands');
    await turns(20);
    expect(sockets).toHaveLength(17);
    await client.close();
    await connecting;
  });

  it('does not have calls wait for an attempt that hangs when the connection that served is lost', async () => {
    const { path, sockets } = await listen((connection) => connection !== 2);
    const client = clientOf(path, { connections: 2, connectTimeoutMs: LONG_MS });
    await lastValueFrom(client.send('x', 1), { defaultValue: 'answered' });
    client.send('y', 1).subscribe(quietly);
    await until(() => sockets.length === 2, 'the other attempt hangs');
    sockets[0]!.destroy();
    await until(() => sockets[0]!.destroyed, 'the first one is gone');
    await turns();
    const answer = lastValueFrom(client.send('x', 1), { defaultValue: 'answered' });
    expect(await answer).toBe('answered');
  });

  it('gives calls the whole time for a new server though an attempt for a further connection fails', async () => {
    const path = socketPath();
    const first = await serve([Echo], { path, maxConnections: 1 });
    const client = clientOf(path, { connections: 2, connectTimeoutMs: 1000 });
    await lastValueFrom(client.send('echo', 'early'));
    const startedMs = performance.now();
    const further = client.connect().catch(() => undefined);
    await until(() => performance.now() - startedMs > 700, 'the attempt for a second one is near its end');
    await first.app.close();
    const answer = lastValueFrom(client.send('echo', 'late'));
    await further;
    await serve([Echo], { path });
    expect(await answer).toBe('late');
  });
});

describe('a close whose last work ends late, at a peer that keeps its end open', () => {
  it.each(['client', 'server'])('takes closeTimeoutMs, and not once more: of a %s', async (side) => {
    const CLOSE_MS = 1500;
    const { close, finish } = side === 'client' ? await lateClient(CLOSE_MS) : await lateServer(CLOSE_MS);
    const startedMs = performance.now();
    const closed = close();
    await until(() => performance.now() - startedMs > 0.8 * CLOSE_MS, 'most of the time has passed');
    finish();
    await closed;
    expect(performance.now() - startedMs).toBeLessThan(1.7 * CLOSE_MS);
  });
});

interface LateEnd {
  close(): Promise<unknown>;
  /** The last work ends. */
  finish(): void;
}

async function lateClient(closeTimeoutMs: number): Promise<LateEnd> {
  const server = await RawServer.listening(socketPath());
  const client = clientOf(server.path, { closeTimeoutMs });
  await client.connect();
  client.send('x', 1).subscribe(quietly);
  await server.frame(3, 1);
  return { close: () => client.close(), finish: () => server.send(rawFrame({ type: 5, id: 1 })) };
}

async function lateServer(closeTimeoutMs: number): Promise<LateEnd> {
  const { path, app } = await serve([Echo], { closeTimeoutMs });
  const peer = connect({ path, allowHalfOpen: true });
  afterThisTest(() => peer.destroy());
  peer.write(Buffer.concat([rawHello(), rawCall({ id: 1, pattern: 'gated', payload: 'x' })]));
  peer.resume();
  await gate.reached.within('the handler runs');
  const goAway = rawFrame({ type: 13 });
  return {
    close: () => app.close(),
    finish: () => {
      gate.passed.open();
      peer.write(goAway);
    },
  };
}
