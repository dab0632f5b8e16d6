import { describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { Ctx, MessagePattern, Payload } from '@nestjs/microservices';
import { Buffer } from 'node:buffer';
import { readFileSync } from 'node:fs';
import { EchoController } from '../../src/echo/echo.controller.js';
import { EchoClient, type EchoHealth, INVALID_STREAM_ITEMS, MAX_STREAM_COUNT } from '../../src/echo/index.js';
import { type UdsClientOptions, UdsContext } from '../../src/index.js';
import { afterThisTest } from '../support/cleanup.js';
import { serve, socketPath } from '../support/nest.js';
import { rawCall, rawFrame } from '../support/raw-frames.js';
import { RawPeer } from '../support/raw-peer.js';
import { TextPeer } from '../support/text-peer.js';
import { turns, until } from '../support/wait.js';

/** Tells what came beside the value, and answers only where nobody waits any more. */
@Controller()
class Observed {
  static cancelled = 0;

  @MessagePattern('echo')
  echo(@Payload() value: unknown, @Ctx() context: UdsContext): unknown {
    if (value !== 'wait') return { metadata: context.getMetadata(), deadline: context.deadline };
    return new Promise((resolve) => {
      context.signal.addEventListener('abort', () => {
        Observed.cancelled += 1;
        resolve(undefined);
      });
    });
  }
}

function echoClientOf(path: string, options: Partial<UdsClientOptions> = {}): EchoClient {
  const client = new EchoClient({ path, closeTimeoutMs: 500, ...options });
  afterThisTest(() => client.close());
  return client;
}

async function serveEcho(options: Partial<UdsClientOptions> = {}): Promise<EchoClient> {
  const { path } = await serve([EchoController]);
  return echoClientOf(path, options);
}

async function listOf<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

describe('echo', () => {
  it.each<[string, unknown]>([
    ['a string', 'This is the message, This will be echoed back'],
    ['an empty string', ''],
    ['Unicode', 'Zażółć gęślą jaźń 😀 \u0000 \u2028'],
    ['half of a surrogate pair', 'a\ud83d'],
    ['a number', -0.5],
    ['zero', 0],
    ['false', false],
    ['an object with null in it', { nothing: null, deep: [null, { text: 'ü' }] }],
    ['an empty array', []],
    ['a string of 1 MiB', 'x'.repeat(1024 ** 2)],
  ])('gives back %s', async (_kind, value) => {
    const client = await serveEcho();
    expect(await client.echo(value)).toEqual(value);
  });

  it('gives back bytes as bytes', async () => {
    const client = await serveEcho();
    const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
    const echo = await client.echo(bytes);
    expect(Buffer.isBuffer(echo)).toBe(true);
    expect(Buffer.compare(echo, bytes)).toBe(0);
  });

  it('gives each of many their own', async () => {
    const client = await serveEcho();
    const values = Array.from({ length: 500 }, (_, index) => ({ index }));
    expect(await Promise.all(values.map((value) => client.echo(value)))).toEqual(values);
  });
});

describe('echo.stream', () => {
  it('gives the items of an array one by one, null and nested arrays included', async () => {
    const client = await serveEcho();
    const items = ['a', 1, null, { b: [2] }, ['c'], ''];
    expect(await listOf(client.echoStream(items))).toEqual(items);
    expect(await listOf(client.echoStream([]))).toEqual([]);
  });

  it('counts from 0 up to a number', async () => {
    const client = await serveEcho();
    expect(await listOf(client.echoStream(5))).toEqual([0, 1, 2, 3, 4]);
    expect(await listOf(client.echoStream(0))).toEqual([]);
  });

  it('gives no more than the caller takes, and ends when the caller leaves', async () => {
    const { path } = await serve([EchoController]);
    const peer = await RawPeer.greeted(path);
    const body = String(MAX_STREAM_COUNT);
    peer.send(rawCall({ id: 1, pattern: 'echo.stream', payload: body, kind: 1, credit: 100 }));
    // An answer that comes later shows that the stream has had its turn.
    peer.send(rawCall({ id: 2, pattern: 'echo', payload: 'x' }));
    await peer.frame(5, 2);
    await turns();
    const items = peer.frames.filter((frame) => frame.type === 6).map((frame) => frame.body.toString());
    expect(items).toEqual(['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
    peer.send(rawFrame({ type: 9, id: 1 }), rawCall({ id: 3, pattern: 'health', kind: 0 }));
    const health = JSON.parse((await peer.frame(5, 3)).body.toString()) as EchoHealth;
    expect(health.callsInFlight).toBe(1);
  });

  it.each([-1, 1.5, MAX_STREAM_COUNT + 1])('refuses the count %s with a code', async (count) => {
    const client = await serveEcho();
    await expect(listOf(client.echoStream(count))).rejects.toEqual({
      code: INVALID_STREAM_ITEMS,
      message: `echo.stream takes an array, or a whole number from 0 to 10000000; it got ${count}.`,
    });
  });

  it('refuses what is neither an array nor a number', async () => {
    const { path } = await serve([EchoController]);
    const peer = await RawPeer.greeted(path);
    peer.send(rawCall({ id: 1, pattern: 'echo.stream', payload: 'abc' }));
    const { body } = await peer.frame(8, 1);
    expect(JSON.parse(body.toString())).toMatchObject({
      code: INVALID_STREAM_ITEMS,
      message: expect.stringContaining('it got a value of type string'),
    });
  });
});

describe('health', () => {
  it('tells the version, the process and what the server counts', async () => {
    const client = await serveEcho();
    await Promise.all([client.echo('a'), client.echo('b'), listOf(client.echoStream(3))]);
    const health = await client.health();
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    expect(health).toEqual({
      uptimeMs: expect.any(Number),
      version,
      pid: process.pid,
      connections: 1,
      callsServed: 3,
      callsInFlight: 1,
      endpoints: [{ path: expect.any(String), dialects: ['binary', 'ndjson', 'nest-json'], connections: 1 }],
    });
    expect(Number.isInteger(health.uptimeMs)).toBe(true);
  });

  it('lists each endpoint with the connections that came there, to whoever asks in whatever dialect', async () => {
    const raw = { path: socketPath(), dialects: ['raw'], pattern: 'echo' } as const;
    const { path } = await serve([EchoController], { endpoints: [{ path: socketPath() }, raw] });
    const bytes = await TextPeer.to(raw.path);
    await bytes.send('x').textComes('x');
    const lines = await TextPeer.to(path);
    lines.sendLines({ id: 1, pattern: 'health' });
    const nest = await TextPeer.to(path);
    const [answer] = await nest.sendPackets({ pattern: 'health', data: 0, id: '1' }).packetsCome(1);
    await lines.linesCome(1);
    const health = await echoClientOf(path).health();
    expect(health.endpoints).toEqual([
      { path, dialects: ['binary', 'ndjson', 'nest-json'], connections: 3 },
      { path: raw.path, dialects: ['raw'], pattern: 'echo', connections: 1 },
    ]);
    expect(answer).toMatchObject({ response: { pid: process.pid, version: health.version } });
    expect(lines.lines).toMatchObject([{ id: 1, response: { pid: process.pid } }]);
  });
});

describe('EchoClient', () => {
  it('hands metadata and the time limit of a call on', async () => {
    const { path } = await serve([Observed]);
    const client = echoClientOf(path, { requestTimeoutMs: 0 });
    expect(await client.echo<unknown>('x', { metadata: { tenant: 'a' } })).toEqual({
      metadata: { tenant: 'a' },
    });
    const { deadline } = (await client.echo<unknown>('x', { timeoutMs: 5_000 })) as { deadline: string };
    expect(Date.parse(deadline)).toBeGreaterThan(Date.now());
  });

  it('fails a call whose time is up', async () => {
    const { path } = await serve([Observed]);
    const client = echoClientOf(path);
    await expect(client.echo('wait', { timeoutMs: 20 })).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
  });

  it('cancels a call when its signal aborts', async () => {
    const { path } = await serve([Observed]);
    const client = echoClientOf(path);
    await client.connect();
    const before = Observed.cancelled;
    const stop = new AbortController();
    const echo = client.echo('wait', { signal: stop.signal });
    const failure = expect(echo).rejects.toMatchObject({ code: 'CALL_ABORTED' });
    await client.echo('x');
    stop.abort();
    await failure;
    await until(() => Observed.cancelled === before + 1, 'the handler was told');
  });

  it.each([{ timeoutMs: -1 }, { metadata: { a: 1 } as unknown as Record<string, string> }])(
    'rejects the options %j',
    async (options) => {
      const client = await serveEcho();
      await expect(client.echo('x', options)).rejects.toMatchObject({ code: 'INVALID_RECORD' });
    },
  );

  it('says that there is no server', async () => {
    const { path, app } = await serve([EchoController]);
    await app.close();
    const client = echoClientOf(path, { connectTimeoutMs: 50 });
    await expect(client.echo('x')).rejects.toMatchObject({ code: 'SERVER_NOT_FOUND' });
    await expect(client.connect()).rejects.toMatchObject({ code: 'SERVER_NOT_FOUND' });
  });

  it('waits for what runs before it closes', async () => {
    const client = await serveEcho();
    const echo = client.echo('x');
    await client.close();
    expect(await echo).toBe('x');
  });
});
