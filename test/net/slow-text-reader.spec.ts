import { beforeEach, describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { Ctx, MessagePattern, Payload } from '@nestjs/microservices';
import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { UdsContext } from '../../src/index.js';
import { type Served, serve, socketPath } from '../support/nest.js';
import { TextPeer } from '../support/text-peer.js';
import { heldBack, turns, until } from '../support/wait.js';

const KIB = 1024;
const MIB = KIB ** 2;
const MARK = 256 * KIB;
/** What one read brings, and what is packed before it is written. */
const ONE_CHUNK = 128 * KIB;
/** The least of both options. */
const LEAST = 64 * KIB;

let most = 0;
let calls = 0;
let pulled = 0;

beforeEach(() => {
  [most, calls, pulled] = [0, 0, 0];
});

@Controller()
class Echo {
  @MessagePattern('echo')
  echo(@Payload() data: unknown, @Ctx() context: UdsContext): unknown {
    calls += 1;
    most = Math.max(most, context.getSocketRef().writableLength);
    return data;
  }

  @MessagePattern('stream')
  async *stream(@Payload() count: number, @Ctx() context: UdsContext): AsyncGenerator<string> {
    for (let n = 0; n < count; n += 1) {
      pulled += 1;
      most = Math.max(most, context.getSocketRef().writableLength);
      yield `${n},`.padEnd(8 * KIB, 'x');
    }
  }
}

const dataOf = (n: number): string => `${n},`.padEnd(16 * KIB, 'x');

/** A peer that reads nothing, and its socket at the server's end. */
async function deaf(served: Served): Promise<{ peer: TextPeer; socket: Socket }> {
  const pair = await TextPeer.accepted(served);
  pair.peer.socket.pause();
  return pair;
}

/** Reads one chunk, then nothing for some turns of the event loop, and so on until `isDone`. */
async function readSlowly(peer: TextPeer, isDone: () => boolean): Promise<void> {
  while (!isDone()) {
    const chunk = once(peer.socket, 'data');
    peer.socket.resume();
    await chunk;
    peer.socket.pause();
    await turns(1);
  }
}

/** Takes so many chunks, one every 20 ms: the pace of a slow reader, not a wait for something. */
async function takeSlowly(peer: TextPeer, chunks: number): Promise<void> {
  for (let chunk = 0; chunk < chunks; chunk += 1) {
    const taken = once(peer.socket, 'data');
    peer.socket.resume();
    await taken;
    peer.socket.pause();
    await delay(20);
  }
}

async function othersAreServed(path: string): Promise<void> {
  const other = await TextPeer.to(path);
  for (let id = 0; id < 20; id += 1) {
    other.sendLines({ id, pattern: 'echo', data: 'x' });
    await other.linesCome(id + 1);
  }
  expect(other.lines.map(({ id }) => id)).toEqual(Array.from({ length: 20 }, (_, id) => id));
}

describe('a peer that never reads', () => {
  it('of ndjson is read no further while its answers wait, and loses nothing', async () => {
    const COUNT = 400;
    const served = await serve([Echo], { maxBufferedBytes: MARK });
    const { peer, socket } = await deaf(served);
    for (let id = 0; id < COUNT; id += 1) peer.sendLines({ id, pattern: 'echo', data: dataOf(id) });
    await heldBack(socket);
    const before = calls;
    expect(before).toBeLessThan(COUNT / 4);
    expect(socket.writableLength).toBeLessThan(MARK + ONE_CHUNK);
    await othersAreServed(served.path);
    expect([calls - before, socket.isPaused()]).toEqual([20, true]);

    peer.socket.resume();
    expect((await peer.linesCome(COUNT)).map(({ id, response }) => response === dataOf(Number(id)))).toEqual(
      Array.from({ length: COUNT }, () => true),
    );
    await until(() => !socket.isPaused(), 'the server reads again');
    expect(served.log.troubles).toEqual([]);
  });

  it('of raw is read no further while its answers wait, and loses nothing', async () => {
    const raw = { path: socketPath(), dialects: ['raw'], pattern: 'echo' } as const;
    const line = { path: socketPath() };
    const served = await serve([Echo], { endpoints: [raw, line], maxBufferedBytes: MARK });
    const { peer, socket } = await deaf(served);
    const sent = Buffer.alloc(8 * MIB, '0123456789,');
    peer.socket.write(sent);
    await heldBack(socket);
    const { bytesRead } = socket;
    expect(socket.writableLength).toBeLessThan(MARK + ONE_CHUNK);
    await othersAreServed(line.path);
    expect(socket.bytesRead).toBe(bytesRead);
    expect(bytesRead).toBeLessThan(2 * MIB);

    peer.socket.resume();
    await peer.end().closed();
    expect(peer.bytes.equals(sent)).toBe(true);
    expect(served.log.troubles).toEqual([]);
  });

  it.each(['ndjson', 'nest-json'])('of %s has its generator held back', async (dialect) => {
    const COUNT = 1000;
    const served = await serve([Echo], { maxBufferedBytes: LEAST, maxFrameBytes: LEAST });
    const { peer, socket } = await deaf(served);
    if (dialect === 'ndjson') peer.sendLines({ id: 1, pattern: 'stream', data: COUNT });
    else peer.sendPackets({ pattern: 'stream', data: COUNT, id: '1' });
    await until(() => socket.writableLength > LEAST, 'its values wait');
    await othersAreServed(served.path);
    expect(pulled).toBeLessThan(COUNT / 4);
    expect(socket.writableLength).toBeLessThan(LEAST + ONE_CHUNK);

    const messages = (): readonly object[] => (dialect === 'ndjson' ? peer.lines : peer.packets);
    await readSlowly(peer, () => peer.bytes.length > COUNT * 8 * KIB);
    peer.socket.resume();
    await until(() => messages().length === COUNT + 1, 'all came');
    expect(most).toBeLessThan(LEAST + ONE_CHUNK);
    expect(served.log.troubles).toEqual([]);
    expect(peer.isClosed).toBe(false);
  });
});

describe('a peer of nest-json', () => {
  it('that never reads is cut: what waits for it stays bounded, and others are served meanwhile', async () => {
    const served = await serve([Echo], { maxBufferedBytes: LEAST, maxFrameBytes: LEAST });
    const { peer, socket } = await deaf(served);
    for (let n = 0; n < 400; n += 1) peer.sendPackets({ pattern: 'echo', data: dataOf(n), id: String(n) });
    await othersAreServed(served.path);
    await until(() => socket.destroyed, 'the connection was cut');
    // both options, one chunk that was packed, and the packets of the text around what was packed
    expect(most).toBeLessThan(2 * LEAST + ONE_CHUNK);
    expect(calls).toBeLessThan(200);
    expect(served.log.troubles).toEqual([
      expect.stringMatching(/^SLOW_READER: .*131072 bytes.*maxBufferedBytes and maxFrameBytes/),
    ]);
    await othersAreServed(served.path);
    peer.socket.resume();
    await peer.closed();
  });

  it('that reads slowly but reads is not cut', async () => {
    const COUNT = 200;
    const served = await serve([Echo]);
    const { peer } = await deaf(served);
    for (let n = 0; n < COUNT; n += 1) peer.sendPackets({ pattern: 'echo', data: dataOf(n), id: String(n) });
    await readSlowly(peer, () => peer.bytes.length > COUNT * 16 * KIB);
    peer.socket.resume();
    const ids = (await peer.packetsCome(COUNT)).map(({ id }) => Number(id));
    expect(ids).toEqual(Array.from({ length: COUNT }, (_, n) => n));
    expect(served.log.troubles).toEqual([]);
  });

  it('that stops reading while it writes, as ClientTCP does, is answered: 32 times 16 KiB', async () => {
    // The mark is far below the answers, so that a server which stopped reading there would wait for ever.
    const served = await serve([Echo], { maxBufferedBytes: LEAST, maxFrameBytes: MIB });
    const { peer } = await deaf(served);
    const packets = Array.from({ length: 32 }, (_, n) => ({
      pattern: 'echo',
      data: dataOf(n),
      id: String(n),
    }));
    let written = 0;
    for (const packet of packets) {
      peer.sendPackets(packet);
      peer.socket.write('', () => (written += 1));
    }
    await until(() => written === packets.length, 'all is written');
    peer.socket.resume();
    const answers = await peer.packetsCome(packets.length);
    expect(answers.map(({ response }) => response)).toEqual(packets.map(({ data }) => data));
    expect(served.log.troubles).toEqual([]);
  });

  it('that stops reading while it writes is cut where as many streams as may run wait for it to read', async () => {
    // Neither may go on: these streams wait for room, and what it writes waits for one of them to end.
    const served = await serve([Echo], {
      maxInFlight: 16,
      maxBufferedBytes: LEAST,
      maxFrameBytes: MIB,
      slowReaderTimeoutMs: 300,
    });
    const { peer } = await deaf(served);
    for (let n = 0; n < 16; n += 1) peer.sendPackets({ pattern: 'stream', data: 1000, id: String(n) });
    for (let n = 16; n < 100; n += 1) peer.sendPackets({ pattern: 'echo', data: dataOf(n), id: String(n) });
    await until(() => served.log.troubles.length > 0, 'the connection was cut');
    expect(served.log.troubles).toEqual([expect.stringMatching(/^SLOW_READER: /)]);
    await othersAreServed(served.path);
    peer.socket.resume();
    await peer.closed();
  });

  it('that stops reading for a while, with as many streams as may run, is not cut where it reads in time', async () => {
    const served = await serve([Echo], {
      maxInFlight: 16,
      maxBufferedBytes: LEAST,
      maxFrameBytes: MIB,
    });
    const { peer, socket } = await deaf(served);
    for (let n = 0; n < 16; n += 1) peer.sendPackets({ pattern: 'stream', data: 50, id: String(n) });
    for (let n = 16; n < 100; n += 1) peer.sendPackets({ pattern: 'echo', data: dataOf(n), id: String(n) });
    await heldBack(socket);
    peer.socket.resume();
    await peer.packetsCome(16 * 51 + 84);
    expect(served.log.troubles).toEqual([]);
  });
});

describe('slowReaderTimeoutMs', () => {
  it('cuts a peer of ndjson that takes nothing of what waits for it', async () => {
    const served = await serve([Echo], { maxBufferedBytes: LEAST, slowReaderTimeoutMs: 300 });
    const { peer } = await deaf(served);
    for (let id = 0; id < 100; id += 1) peer.sendLines({ id, pattern: 'echo', data: dataOf(id) });
    await until(() => served.log.troubles.length > 0, 'the connection was cut');
    expect(served.log.troubles).toEqual([expect.stringMatching(/^SLOW_READER: .*300 ms/)]);
    await othersAreServed(served.path);
    peer.socket.resume();
    await peer.closed();
  });

  it('leaves one alone that takes a little now and then', async () => {
    const COUNT = 80;
    const ROUNDS = 7;
    const served = await serve([Echo], { maxBufferedBytes: LEAST, slowReaderTimeoutMs: 1_500 });
    const { peer, socket } = await deaf(served);
    for (let n = 0; n < COUNT; n += 1) peer.sendPackets({ pattern: 'echo', data: dataOf(n), id: String(n) });
    await until(() => socket.writableLength > MIB / 2, 'answers wait');
    const startedAtMs = performance.now();
    for (let round = 0; round < ROUNDS; round += 1) {
      for (let n = 0; n < 50; n += 1)
        peer.sendPackets({ pattern: 'echo', data: dataOf(n), id: `${round}.${n}` });
      await takeSlowly(peer, 12);
    }
    // Longer than the limit altogether, while some of it was taken all the time.
    expect(performance.now() - startedAtMs).toBeGreaterThan(1_500);
    expect(socket.destroyed).toBe(false);
    expect(served.log.troubles).toEqual([]);
    peer.socket.resume();
    await peer.packetsCome(COUNT + ROUNDS * 50);
  });
});
