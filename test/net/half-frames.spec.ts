import { describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { MessagePattern } from '@nestjs/microservices';
import { Buffer } from 'node:buffer';
import { setTimeout as delay } from 'node:timers/promises';
import { lastValueFrom } from 'rxjs';
import { clientOf, serve } from '../support/nest.js';
import { rawCall, rawFrame } from '../support/raw-frames.js';
import { RawPeer } from '../support/raw-peer.js';
import { TextPeer } from '../support/text-peer.js';
import { Gate } from '../support/wait.js';
import { TYPE } from '../support/wire-tap.js';

const TIMEOUT_MS = 60;
const KIB = 1024;

let gate = new Gate();

@Controller()
class Echo {
  @MessagePattern('echo')
  echo(data: unknown): unknown {
    return data;
  }

  @MessagePattern('gated')
  async gated(data: unknown): Promise<unknown> {
    await gate.opened;
    return data;
  }
}

const serving = async () => await serve([Echo], { partialFrameTimeoutMs: TIMEOUT_MS });

describe('a frame that begins and does not go on', () => {
  it('ends its connection with FRAME_TIMEOUT, and nobody else notices', async () => {
    const { path, log } = await serving();
    const other = clientOf(path);
    await other.connect();
    const peer = await RawPeer.greeted(path);
    peer.send(rawCall({ id: 1, pattern: 'echo', payload: 'x'.repeat(100) }).subarray(0, 50));
    await peer.closed();
    expect(log.troubles).toEqual([
      expect.stringMatching(/^FRAME_TIMEOUT: .*in 60 ms \(option partialFrameTimeoutMs\)/),
    ]);
    expect(await lastValueFrom(other.send('echo', 1))).toBe(1);
  });

  it.each([
    ['a header', rawFrame({ type: TYPE.PING }).subarray(0, 3)],
    ['a length alone', rawCall({ id: 1, pattern: 'echo', payload: 'x'.repeat(200 * KIB) }).subarray(0, 10)],
  ])('is noticed in %s', async (_what, half) => {
    const { path, log } = await serving();
    const peer = await RawPeer.greeted(path);
    peer.send(half);
    await peer.closed();
    expect(log.troubles).toEqual([expect.stringMatching(/^FRAME_TIMEOUT: /)]);
  });

  it.each([
    ['ndjson', '{"id":1,"pattern":"ec', /^\{"error":\{"code":"FRAME_TIMEOUT".*\n$/],
    ['nest-json', '40#{"pattern":"ec', /^\d+#\{"err":\{"code":"FRAME_TIMEOUT"/],
    ['nest-json, in its length', '40', /^\d+#\{"err":\{"code":"FRAME_TIMEOUT"/],
  ])('is told so in the words of %s', async (_dialect, half, told) => {
    const { path } = await serving();
    const peer = await TextPeer.to(path);
    peer.socket.write(half);
    await peer.ended();
    expect(peer.text).toMatch(told);
  });

  it('ends its connection where it comes byte by byte', async () => {
    const { path, log } = await serving();
    const peer = await RawPeer.greeted(path);
    const call = rawCall({ id: 1, pattern: 'echo', payload: 'x'.repeat(8 * KIB) });
    for (let at = 0; !peer.isClosed && at < call.length; at += 1) {
      peer.send(call.subarray(at, at + 1));
      await delay(2);
    }
    expect(log.troubles).toEqual([expect.stringMatching(/^FRAME_TIMEOUT: /)]);
  });
});

describe('a sender that is slow and moves', () => {
  it('lives, however long its frame takes', async () => {
    const { path, log } = await serving();
    const peer = await RawPeer.greeted(path);
    const call = rawCall({ id: 1, pattern: 'echo', payload: 'x'.repeat(2048 * KIB) });
    const startedMs = performance.now();
    for (let at = 0; at < call.length; at += 128 * KIB) {
      peer.send(call.subarray(at, at + 128 * KIB));
      await delay(TIMEOUT_MS / 4);
    }
    expect(performance.now() - startedMs).toBeGreaterThan(3 * TIMEOUT_MS);
    expect((await peer.frame(5, 1)).body).toHaveLength(2048 * KIB);
    expect(log.troubles).toEqual([]);
  });

  it('lives where each chunk ends one frame and begins the next', async () => {
    const { path, log } = await serving();
    const peer = await RawPeer.greeted(path);
    const ping = rawFrame({ type: TYPE.PING, id: 7 });
    peer.send(ping.subarray(0, 5));
    for (let count = 0; count < 20; count += 1) {
      await delay(TIMEOUT_MS / 4);
      peer.send(ping.subarray(5), ping.subarray(0, 5));
    }
    await peer.frame(TYPE.PONG, 7);
    expect(peer.isClosed).toBe(false);
    expect(log.troubles).toEqual([]);
  });

  it('is not judged while it is not read', async () => {
    const { path, log } = await serve([Echo], { partialFrameTimeoutMs: TIMEOUT_MS, maxInFlight: 16 });
    gate = new Gate();
    const peer = await TextPeer.to(path);
    const line = (id: number): string => `${JSON.stringify({ id, pattern: 'gated', data: id })}\n`;
    const calls = Array.from({ length: 16 }, (_, at) => line(at + 1)).join('');
    peer.socket.write(Buffer.from(`${calls}${line(17).slice(0, 9)}`));
    await delay(4 * TIMEOUT_MS);
    gate.open();
    peer.socket.write(line(17).slice(9));
    expect(await peer.linesCome(17)).toHaveLength(17);
    expect(log.troubles).toEqual([]);
  });

  it('is not judged where it is read no further from some moment on', async () => {
    const { path, log } = await serve([Echo], {
      partialFrameTimeoutMs: TIMEOUT_MS,
      maxBufferedBytes: 64 * KIB,
    });
    gate = new Gate();
    const peer = await RawPeer.greeted(path);
    peer.socket.pause();
    peer.send(rawCall({ id: 1, pattern: 'gated', payload: 'x'.repeat(1024 * KIB) }));
    // It is whole by then, and the next look at frames begins with the next one.
    await delay(3 * TIMEOUT_MS);
    const begun = rawCall({ id: 2, pattern: 'echo', payload: 'x'.repeat(100) });
    peer.send(begun.subarray(0, 50));
    await delay(TIMEOUT_MS / 3);
    // Now its long answer waits, and the server reads on when it has left.
    gate.open();
    await delay(4 * TIMEOUT_MS);
    peer.socket.resume();
    peer.send(begun.subarray(50));
    await peer.frame(5, 2);
    expect(log.troubles).toEqual([]);
  });
});
