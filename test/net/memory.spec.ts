import { beforeEach, describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { EventPattern, MessagePattern } from '@nestjs/microservices';
import { Buffer } from 'node:buffer';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { lastValueFrom } from 'rxjs';
import { clientOf, type Served, serve } from '../support/nest.js';
import { rawCall, rawFrame } from '../support/raw-frames.js';
import { RawPeer } from '../support/raw-peer.js';
import { TextPeer } from '../support/text-peer.js';
import { Gate, heldBack, turns, until } from '../support/wait.js';
import { TYPE } from '../support/wire-tap.js';

const KIB = 1024;
const MIB = KIB ** 2;

let gate = new Gate();
let begun = 0;

beforeEach(() => {
  gate = new Gate();
  begun = 0;
});

@Controller()
class Work {
  @MessagePattern('length')
  lengthOf(data: Uint8Array): number {
    return data.length;
  }

  @MessagePattern('echo')
  echo(data: unknown): unknown {
    return data;
  }

  @MessagePattern('text')
  textOf(length: number): string {
    return 'x'.repeat(length);
  }

  @MessagePattern('stream')
  async *stream(data: Uint8Array): AsyncGenerator<Uint8Array> {
    begun += 1;
    for (let count = 0; count < 20; count += 1) yield data;
  }

  @MessagePattern('gated')
  async gated(data: Uint8Array): Promise<number> {
    begun += 1;
    await gate.opened;
    return data.length;
  }

  @EventPattern('noted')
  async noted(data: Uint8Array): Promise<void> {
    begun += data.length > 0 ? 1 : 0;
    await gate.opened;
  }
}

/** A server of one MiB for frames and one for all else, and its ends of the connections in the order in which they came. */
async function serving(): Promise<Served & { sockets: Socket[] }> {
  const served = await serve([Work], { maxFrameBytes: MIB, maxTotalBufferedBytes: 2 * MIB });
  const sockets: Socket[] = [];
  served.server.on('connection', (socket: Socket) => sockets.push(socket));
  return { ...served, sockets };
}

const frame = (id: number, bytes: number, pattern = 'length'): Buffer =>
  rawCall({ id, pattern, kind: 3, payload: Buffer.alloc(bytes) });

/** A peer that has sent the beginning of a frame of so many bytes, and the server has read it. */
async function begin(path: string, sockets: Socket[], bytes: number): Promise<RawPeer> {
  const peer = await RawPeer.greeted(path);
  const socket = sockets.at(-1)!;
  const before = socket.bytesRead;
  peer.send(frame(1, bytes).subarray(0, 1000));
  await until(() => socket.bytesRead - before === 1000, 'the beginning was read');
  return peer;
}

describe('frames that need more room than there is', () => {
  it('wait for it, and are all taken in the end', async () => {
    const { path } = await serving();
    const clients = Array.from({ length: 8 }, () => clientOf(path));
    const calls = clients.flatMap((client) =>
      Array.from({ length: 4 }, () => lastValueFrom(client.send<number>('length', Buffer.alloc(900 * KIB)))),
    );
    expect(await Promise.all(calls)).toEqual(calls.map(() => 900 * KIB));
  });

  it('are not read meanwhile, in the order in which they came, while shorter ones are', async () => {
    const { path, sockets } = await serving();
    const holder = await begin(path, sockets, 800 * KIB);
    const second = await begin(path, sockets, 700 * KIB);
    const third = await begin(path, sockets, 600 * KIB);
    second.send(frame(1, 700 * KIB).subarray(1000));
    third.send(frame(1, 600 * KIB).subarray(1000));
    const short = await RawPeer.greeted(path);
    short.send(frame(1, 10 * KIB));
    await short.frame(TYPE.RESPONSE, 1);
    expect(sockets.map((socket) => socket.isPaused())).toEqual([false, true, true, false]);
    expect(sockets.slice(1, 3).map((socket) => socket.bytesRead < 100 * KIB)).toEqual([true, true]);
    holder.send(frame(1, 800 * KIB).subarray(1000));
    for (const peer of [holder, second, third]) await peer.frame(TYPE.RESPONSE, 1);
  });

  it('are not taken for frames that stand still while they wait, nor just after', async () => {
    const TIMEOUT_MS = 300;
    const limits = { maxFrameBytes: MIB, maxTotalBufferedBytes: 2 * MIB, partialFrameTimeoutMs: TIMEOUT_MS };
    const { path, log } = await serve([Work], limits);
    // It says no more, so it is cut in a while, and its room is free then.
    const holder = await RawPeer.greeted(path);
    holder.send(frame(1, 1000 * KIB).subarray(0, 1000));
    const waiting: RawPeer[] = [];
    for (let count = 0; count < 8; count += 1) {
      const peer = await RawPeer.greeted(path);
      peer.send(frame(1, 100 * KIB).subarray(0, 1000));
      waiting.push(peer);
      await delay(TIMEOUT_MS / 12);
    }
    await holder.closed();
    await delay(TIMEOUT_MS / 2);
    for (const peer of waiting) peer.send(frame(1, 100 * KIB).subarray(1000));
    for (const peer of waiting) await peer.frame(TYPE.RESPONSE, 1);
    expect(log.troubles).toEqual([expect.stringMatching(/^FRAME_TIMEOUT/)]);
  });

  it('have the room of one whose peer has gone', async () => {
    const { path, sockets } = await serving();
    const holder = await begin(path, sockets, 800 * KIB);
    const second = await begin(path, sockets, 700 * KIB);
    second.send(frame(1, 700 * KIB).subarray(1000));
    await turns();
    expect(sockets[1]?.isPaused()).toBe(true);
    holder.socket.destroy();
    await second.frame(TYPE.RESPONSE, 1);
  });

  it('are lines too, whose length nobody has told', async () => {
    const { path, sockets } = await serving();
    const line = `${JSON.stringify({ id: 1, pattern: 'echo', data: 'x'.repeat(300 * KIB) })}\n`;
    const holder = await TextPeer.to(path);
    holder.socket.write(line.slice(0, 200 * KIB));
    await until(() => sockets[0]?.bytesRead === 200 * KIB, 'it was read');
    const second = await TextPeer.to(path);
    second.socket.write(line);
    await heldBack(sockets[1]!);
    holder.socket.write(line.slice(200 * KIB));
    expect(await holder.linesCome(1)).toHaveLength(1);
    expect(await second.linesCome(1)).toHaveLength(1);
  });
});

describe('one connection that has much under way', () => {
  it('is not read on while it holds more than is free, and others are', async () => {
    const { path, sockets } = await serving();
    const hoarder = await RawPeer.greeted(path);
    const calls = Array.from({ length: 12 }, (_, at) => frame(at + 1, 100 * KIB, 'gated'));
    hoarder.send(...calls);
    await heldBack(sockets[0]!);
    expect(begun).toBeLessThan(9);
    const other = await RawPeer.greeted(path);
    other.send(frame(1, 200 * KIB));
    await other.frame(TYPE.RESPONSE, 1);
    gate.open();
    await hoarder.frame(TYPE.RESPONSE, 12);
    await until(() => sockets[0]?.isPaused() === false, 'it is read on');
  });

  it('is not read on while it has cancelled much that runs on', async () => {
    const { path, sockets } = await serving();
    const hoarder = await RawPeer.greeted(path);
    // So many are less than half of the room.
    for (let id = 1; id <= 5; id += 1) {
      hoarder.send(frame(id, 100 * KIB, 'gated'));
      await until(() => begun === id, 'it runs');
      hoarder.send(rawFrame({ type: TYPE.CANCEL, id }));
    }
    for (let id = 6; id <= 12; id += 1) hoarder.send(frame(id, 100 * KIB, 'gated'));
    await heldBack(sockets[0]!);
    expect(begun).toBeLessThan(9);
    gate.open();
    await hoarder.frame(TYPE.RESPONSE, 12);
  });

  it.each([
    ['events', 'noted', () => 0],
    ['requests', 'gated', (count: number) => count],
  ])('holds it still when its peer has gone and its %s run on', async (_what, pattern, idOf) => {
    const { path, sockets } = await serving();
    const gone = await RawPeer.greeted(path);
    for (let count = 1; count <= 6; count += 1) {
      gone.send(frame(idOf(count), 80 * KIB, pattern));
      await until(() => begun === count, 'it began');
    }
    gone.socket.destroy();
    await until(() => sockets[0]?.closed === true, 'the server knows that it has gone');
    const next = await RawPeer.greeted(path);
    next.send(frame(1, 300 * KIB, 'gated'), frame(2, 1));
    await heldBack(sockets[1]!);
    gate.open();
    await next.frame(TYPE.RESPONSE, 2);
  });
});

describe('one connection that holds all it may', () => {
  it('by streams that wait for its credit, is read on for that', async () => {
    const { path, log } = await serving();
    const client = clientOf(path, { streamCreditBytes: 90 * KIB });
    const data = Buffer.alloc(90 * KIB);
    const lengths = async (): Promise<number> => {
      let count = 0;
      for await (const value of client.stream<Uint8Array>('stream', data))
        count += value.length === data.length ? 1 : 0;
      return count;
    };
    expect(await Promise.all(Array.from({ length: 6 }, lengths))).toEqual(
      Array.from({ length: 6 }, () => 20),
    );
    expect(log.troubles).toEqual([]);
  });

  it('by streams for which it gives no credit, is told that there is no room for more', async () => {
    const { path } = await serving();
    const peer = await RawPeer.greeted(path);
    for (let id = 1; id <= 8; id += 1)
      peer.send(rawCall({ id, pattern: 'stream', kind: 3, payload: Buffer.alloc(90 * KIB), credit: 1 }));
    await until(() => begun > 5, 'it holds more than it may');
    await turns();
    const ranBefore = begun;
    peer.send(frame(100, 1));
    expect(await peer.refusal(100)).toBe('TOO_MANY_REQUESTS');
    expect(begun).toBe(ranBefore);
    for (let id = 1; id <= 8; id += 1) peer.send(rawFrame({ type: TYPE.CANCEL, id }));
    peer.send(frame(101, 1));
    await peer.frame(TYPE.RESPONSE, 101);
  });

  it('is told all the while that the server lives, and keeps its calls', async () => {
    const beat = { heartbeatIntervalMs: 50, heartbeatTimeoutMs: 100 };
    const served = await serve([Work], { maxFrameBytes: MIB, maxTotalBufferedBytes: 2 * MIB, ...beat });
    let socket: Socket | undefined;
    served.server.on('connection', (accepted: Socket) => (socket = accepted));
    const client = clientOf(served.path, beat);
    const calls = Array.from({ length: 8 }, () =>
      lastValueFrom(client.send('gated', Buffer.alloc(100 * KIB))),
    );
    const all = Promise.all(calls);
    await until(() => begun > 4, 'they run');
    await heldBack(socket!);
    // A client that heard nothing would give up after one interval and one timeout.
    const startedMs = performance.now();
    await until(() => performance.now() - startedMs > 600, 'long enough');
    gate.open();
    expect(await all).toEqual(calls.map(() => 100 * KIB));
  });

  it('is not cut for frames that others have announced, where it may stop reading', async () => {
    const { path, log } = await serving();
    for (let count = 0; count < 4; count += 1) await announce(path);
    const peer = await TextPeer.to(path);
    for (let id = 1; id <= 2; id += 1) peer.sendPackets({ id: `${id}`, pattern: 'text', data: 200 * KIB });
    expect(await peer.packetsCome(2)).toHaveLength(2);
    expect(log.troubles).toEqual([]);
  });

  it('is counted as long as its answers lie there, also where it broke a rule', async () => {
    const { path, sockets } = await serving();
    const peer = await RawPeer.greeted(path);
    peer.socket.pause();
    peer.send(frame(1, 450 * KIB, 'echo'));
    await until(() => (sockets[0]?.writableLength ?? 0) > 150 * KIB, 'its answer waits');
    peer.send(rawFrame({ type: 99 }));
    const next = await RawPeer.greeted(path);
    next.send(frame(1, 450 * KIB, 'gated'), frame(2, 1));
    await heldBack(sockets[1]!);
    peer.socket.destroy();
    gate.open();
    await next.frame(TYPE.RESPONSE, 2);
  });
});

/** A peer that has announced a long frame. */
async function announce(path: string): Promise<void> {
  const peer = await RawPeer.greeted(path);
  peer.send(frame(1, 900 * KIB).subarray(0, 10));
}
