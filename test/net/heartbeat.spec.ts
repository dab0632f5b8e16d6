import { beforeEach, describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { Ctx, EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { Buffer } from 'node:buffer';
import type { Socket } from 'node:net';
import { firstValueFrom, type Observable } from 'rxjs';
import { type UdsClientOptions, UdsContext, type UdsError } from '../../src/index.js';
import { clientOf, serve, socketPath } from '../support/nest.js';
import { rawCall, rawFrame } from '../support/raw-frames.js';
import { RawPeer } from '../support/raw-peer.js';
import { RawServer } from '../support/raw-server.js';
import type { Tapped } from '../support/tapped.js';
import { TextPeer } from '../support/text-peer.js';
import { heldBack, until } from '../support/wait.js';
import { TYPE, WireTap } from '../support/wire-tap.js';

/** Of a peer that is expected to answer: nothing here takes that long. */
const PATIENT_MS = 15_000;
/** What a busy machine may add. */
const SLACK_MS = 2000;

let running = 0;
let aborted: UdsError[] = [];
let endings = 0;

beforeEach(() => {
  running = 0;
  aborted = [];
  endings = 0;
});

@Controller()
class Work {
  @MessagePattern('echo')
  echo(@Payload() data: unknown): unknown {
    return data;
  }

  @MessagePattern('endless')
  async endless(@Payload() _data: unknown, @Ctx() { signal }: UdsContext): Promise<never> {
    signal.addEventListener('abort', () => aborted.push(signal.reason as UdsError));
    running += 1;
    return await new Promise<never>(() => {});
  }

  @EventPattern('noted')
  note(@Payload() _data: unknown): void {
    endings += 1;
  }
}

const codeOf = (call: Observable<unknown>): Promise<unknown> =>
  firstValueFrom(call).catch((error: unknown) => (error as UdsError).code);

interface Framed {
  readonly frames: RawServer['frames'];
}

const pingsOf = ({ frames }: Framed): number => frames.filter(({ type }) => type === TYPE.PING).length;

async function pingsCome(peer: Framed, count: number): Promise<void> {
  await until(() => pingsOf(peer) >= count, `${count} PINGs came`);
}

interface Beat {
  readonly heartbeatIntervalMs: number;
  readonly heartbeatTimeoutMs?: number;
}

/** A server and a client with the same heartbeat, and a tap between them. */
async function tapped(beat: Beat): Promise<Tapped> {
  const served = await serve([Work], beat);
  const tap = await WireTap.before(served.path);
  const client = clientOf(tap.path, beat);
  await client.connect();
  return { ...served, tap, client };
}

/** A server that answers the hello and no PING, and a client of it that is connected. */
async function muteServer(
  options: Partial<UdsClientOptions>,
): Promise<{ server: RawServer; client: ReturnType<typeof clientOf>; socket: Socket }> {
  const server = await RawServer.listening(socketPath());
  const client = clientOf(server.path, { connectTimeoutMs: PATIENT_MS, ...options });
  await client.connect();
  return { server, client, socket: server.sockets[0]! };
}

describe('a peer that has said nothing for heartbeatIntervalMs', () => {
  const heartbeatIntervalMs = 200;

  it('is asked by a client, and not before', async () => {
    const beganAtMs = performance.now();
    const { server } = await muteServer({ heartbeatIntervalMs });
    await server.frame(TYPE.PING);
    expect(performance.now() - beganAtMs).toBeGreaterThan(heartbeatIntervalMs - 10);
  });

  it('is asked by a server, and not before', async () => {
    const { path } = await serve([Work], { heartbeatIntervalMs });
    const beganAtMs = performance.now();
    const peer = await RawPeer.greeted(path);
    await peer.frame(TYPE.PING);
    expect(performance.now() - beganAtMs).toBeGreaterThan(heartbeatIntervalMs - 10);
  });

  it('and answers each time, lives on', async () => {
    const beat = { heartbeatIntervalMs: 30, heartbeatTimeoutMs: 5000 };
    const { tap, client, log } = await tapped(beat);
    const statuses: string[] = [];
    client.status.subscribe((status) => statuses.push(status));
    const held = firstValueFrom(client.send('endless', 1)).catch(() => 'failed');
    await pingsCome(tap.sent, 10);
    await pingsCome(tap.received, 10);
    expect(await Promise.race([held, firstValueFrom(client.send('echo', 'alive'))])).toBe('alive');
    expect([statuses, aborted, log.troubles]).toEqual([['connected'], [], []]);
  });

  it('is content with any byte in place of an answer', async () => {
    const { server, client, socket } = await muteServer({
      heartbeatIntervalMs: 50,
      heartbeatTimeoutMs: 600,
    });
    // A frame that never comes to its end.
    const bytes = rawFrame({ type: TYPE.PONG, body: Buffer.alloc(60) });
    const call = codeOf(client.send('x', 1));
    for (let asked = 1; asked <= 20; asked += 1) {
      await pingsCome(server, asked);
      socket.write(bytes.subarray(asked - 1, asked));
    }
    // And notices where none comes any more.
    expect(await call).toBe('HEARTBEAT_TIMEOUT');
    expect(pingsOf(server)).toBe(21);
  });

  it('is asked for ever by nobody whose interval is 0', async () => {
    const idle = await tapped({ heartbeatIntervalMs: 0 });
    const other = await tapped({ heartbeatIntervalMs: 50 });
    await pingsCome(other.tap.sent, 10);
    await pingsCome(other.tap.received, 10);
    expect([pingsOf(idle.tap.sent), pingsOf(idle.tap.received)]).toEqual([0, 0]);
  });

  it('is asked by nobody while there are calls', async () => {
    const beat = { heartbeatIntervalMs: 1000 };
    const busy = await tapped(beat);
    const idle = await tapped(beat);
    const areAsked = (): boolean => pingsOf(idle.tap.sent) >= 2 && pingsOf(idle.tap.received) >= 2;
    while (!areAsked()) await firstValueFrom(busy.client.send('echo', 1));
    expect([pingsOf(busy.tap.sent), pingsOf(busy.tap.received)]).toEqual([0, 0]);
  });

  it('is not asked in a dialect that knows no such question', async () => {
    const { path, log } = await serve([Work], { heartbeatIntervalMs: 30, heartbeatTimeoutMs: 30 });
    const peers = [await TextPeer.to(path), await TextPeer.to(path)] as const;
    peers[0].sendLines({ pattern: 'noted', data: 1 });
    peers[1].sendPackets({ pattern: 'noted', data: 1 });
    await until(() => endings === 2, 'both have begun');
    // Which both are told of by the same server.
    for (let cut = 0; cut < 3; cut += 1) await (await RawPeer.greeted(path)).closed();
    expect(peers.map(({ text, isClosed }) => [text, isClosed])).toEqual([
      ['', false],
      ['', false],
    ]);
    expect(log.troubles).toHaveLength(3);
  });
});

describe('a peer that does not answer within heartbeatTimeoutMs more', () => {
  const beat = { heartbeatIntervalMs: 200, heartbeatTimeoutMs: 400 };
  const sumMs = beat.heartbeatIntervalMs + beat.heartbeatTimeoutMs;

  function expectInTime(beganAtMs: number): void {
    const tookMs = performance.now() - beganAtMs;
    expect(tookMs).toBeGreaterThan(sumMs - 10);
    expect(tookMs).toBeLessThan(sumMs + SLACK_MS);
  }

  it('is left by a client: its calls fail with HEARTBEAT_TIMEOUT, the next one goes to the next connection', async () => {
    const beganAtMs = performance.now();
    const { server, client } = await muteServer(beat);
    const statuses: string[] = [];
    client.status.subscribe((status) => statuses.push(status));
    const calls = [1, 2, 3].map((data) =>
      firstValueFrom(client.send('x', data)).catch((error: unknown) => error),
    );
    const failed = expect.objectContaining({ code: 'HEARTBEAT_TIMEOUT', retrySafe: false });
    expect(await Promise.all(calls)).toEqual([failed, failed, failed]);
    expectInTime(beganAtMs);
    await until(() => server.sockets[0]!.destroyed, 'its connection was closed');
    await until(() => statuses.join() === 'connected,disconnected,connected', 'it is back by itself');
  });

  it('is left as soon where it had answered a moment before', async () => {
    const slow = { heartbeatIntervalMs: 200, heartbeatTimeoutMs: 4000 };
    const { server, client, socket } = await muteServer(slow);
    const call = codeOf(client.send('x', 1));
    await server.frame(TYPE.PING);
    const beganAtMs = performance.now();
    socket.write(rawFrame({ type: TYPE.PONG }));
    expect(await call).toBe('HEARTBEAT_TIMEOUT');
    expect(performance.now() - beganAtMs).toBeLessThan(4200 + SLACK_MS);
  });

  it('is cut by a server: the signals of its handlers abort, and one line is logged', async () => {
    const { path, log } = await serve([Work], beat);
    const beganAtMs = performance.now();
    const peer = await RawPeer.greeted(path);
    peer.send(...[1, 2].map((id) => rawCall({ id, pattern: 'endless', payload: 'x' })));
    await peer.closed();
    expectInTime(beganAtMs);
    expect(running).toBe(2);
    expect(aborted.map(({ code }) => code)).toEqual(['HEARTBEAT_TIMEOUT', 'HEARTBEAT_TIMEOUT']);
    expect(log.troubles).toEqual([
      expect.stringMatching(
        /^HEARTBEAT_TIMEOUT: .* 200 ms .* 400 ms .*heartbeatIntervalMs, heartbeatTimeoutMs.*"raw", pid 4711\)$/,
      ),
    ]);
  });

  it('but does so late, as a handler that computes, loses no call', async () => {
    const { tap, client } = await tapped({ ...beat, heartbeatTimeoutMs: PATIENT_MS });
    tap.received.hold();
    const calls = [1, 2, 3].map((data) => firstValueFrom(client.send('echo', data)));
    await pingsCome(tap.sent, 1);
    const impatient = await muteServer(beat);
    expect(await codeOf(impatient.client.send('x', 1))).toBe('HEARTBEAT_TIMEOUT');
    tap.received.release();
    expect(await Promise.all(calls)).toEqual([1, 2, 3]);
  });

  it('is not judged by a server that reads no further there, since it does not read itself', async () => {
    const { path, server, log } = await serve([Work], { ...beat, maxBufferedBytes: 65_536 });
    const accepted = new Promise<Socket>((resolve) => server.on('connection', resolve));
    const peer = await RawPeer.greeted(path);
    const socket = await accepted;
    peer.socket.pause();
    const ids = Array.from({ length: 40 }, (_, index) => index + 1);
    const payload = 'x'.repeat(32 * 1024);
    peer.send(...ids.map((id) => rawCall({ id, pattern: 'echo', payload })));
    await heldBack(socket);
    // Each is cut after as long a silence.
    for (let cut = 0; cut < 3; cut += 1) await (await RawPeer.greeted(path)).closed();
    expect(log.troubles).toHaveLength(3);
    expect([peer.isClosed, socket.isPaused()]).toEqual([false, true]);
    peer.socket.resume();
    await until(() => peer.frames.filter(({ type }) => type === TYPE.RESPONSE).length === 40, 'all answered');
  });
});
