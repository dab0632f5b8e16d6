import { beforeEach, describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { Buffer } from 'node:buffer';
import type { UdsDialect } from '../../src/index.js';
import { clientOf, type Served, serve, socketPath } from '../support/nest.js';
import { rawCall, rawHello } from '../support/raw-frames.js';
import { RawPeer } from '../support/raw-peer.js';
import { packetOf, TextPeer } from '../support/text-peer.js';
import { until } from '../support/wait.js';

const MIB = 1024 ** 2;
const LINE = `${JSON.stringify({ id: 1, pattern: 'echo', data: 'x' })}\n`;
const PACKET = packetOf({ pattern: 'echo', data: 'x', id: '1' });

let calls = 0;

beforeEach(() => {
  calls = 0;
});

@Controller()
class Echo {
  @MessagePattern('echo')
  echo(@Payload() data: unknown): unknown {
    calls += 1;
    return data;
  }
}

const servedIn = (dialects: readonly UdsDialect[], options: object = {}): Promise<Served> =>
  serve([Echo], { ...options, endpoints: [{ path: socketPath(), dialects }] });

const refusal = { code: 'UNKNOWN_DIALECT', message: expect.stringContaining('does not serve') };
const logged = [expect.stringMatching(/^UNKNOWN_DIALECT: /)];

describe('a dialect that is not served at an endpoint is told so in its own form:', () => {
  it('binary, whose client fails with UNKNOWN_DIALECT', async () => {
    const { path, log } = await servedIn(['ndjson', 'nest-json']);
    await expect(clientOf(path).connect()).rejects.toMatchObject({ code: 'UNKNOWN_DIALECT' });
    const peer = await RawPeer.to(path);
    peer.send(rawHello(), rawCall({ id: 1, pattern: 'echo', payload: 'x' }));
    const { id, flags, body } = await peer.frame(13);
    expect([id, flags, JSON.parse(body.toString())]).toEqual([0, 9, refusal]);
    await peer.closed();
    expect(peer.frames).toHaveLength(1);
    await until(() => log.troubles.length > 1, 'both were logged');
    expect(log.troubles).toEqual([...logged, ...logged]);
    expect(calls).toBe(0);
  });

  it('ndjson', async () => {
    const { path, log } = await servedIn(['binary', 'nest-json']);
    const peer = await TextPeer.to(path);
    peer.send(LINE);
    await peer.closed();
    expect(peer.lines).toEqual([{ error: refusal, transport: true }]);
    await until(() => log.troubles.length > 0, 'it was logged');
    expect(log.troubles).toEqual(logged);
    expect(calls).toBe(0);
  });

  it('nest-json', async () => {
    const { path, log } = await servedIn(['binary', 'ndjson']);
    const peer = await TextPeer.to(path);
    peer.send(PACKET);
    await peer.closed();
    expect(peer.packets).toEqual([{ err: refusal, isDisposed: true }]);
    await until(() => log.troubles.length > 0, 'it was logged');
    expect(log.troubles).toEqual(logged);
    expect(calls).toBe(0);
  });

  it.each(['GET / HTTP/1.1\r\n\r\n', '[1]\n', '"x"', '\xff'])(
    'what begins as none does is closed without a word: %j',
    async (text) => {
      const { path, log } = await servedIn(['binary', 'ndjson', 'nest-json']);
      const peer = await TextPeer.to(path);
      peer.send(Buffer.from(text, 'latin1'));
      await peer.closed();
      expect(peer.text).toBe('');
      await until(() => log.troubles.length > 0, 'it was logged');
      expect(log.troubles).toEqual(logged);
    },
  );

  it.each(['\n', '\r\n\r\n', ' \t'])('ndjson may begin with blanks: %j', async (blanks) => {
    const { path, log } = await servedIn(['binary', 'ndjson', 'nest-json']);
    const peer = await TextPeer.to(path);
    expect(await peer.send(blanks, LINE).linesCome(1)).toEqual([{ id: 1, response: 'x' }]);
    expect(log.troubles).toEqual([]);
  });

  it('the server says nothing before the first byte, and waits for it', async () => {
    const served = await servedIn(['ndjson'], { helloTimeoutMs: 1 });
    const { peer, socket } = await TextPeer.accepted(served);
    const other = await TextPeer.to(served.path);
    await other.send(LINE).linesCome(1);
    expect([peer.text, socket.bytesWritten]).toEqual(['', 0]);
    // and once it is known, none is waited for
    await peer.send(LINE).linesCome(1);
    await peer.send('{"id":2,').send('"ping":true}\n').linesCome(2);
    expect(served.log.troubles).toEqual([]);
  });
});

describe('the last word of a server', () => {
  it.each([
    ['ndjson', LINE, 'x\n', '"transport":true'],
    ['nest-json', PACKET, 'x', '"isDisposed":true'],
  ])('in %s reaches a peer that goes on writing', async (_dialect, good, bad, end) => {
    const served = await servedIn(['ndjson', 'nest-json'], { closeTimeoutMs: 10_000 });
    const { peer, socket } = await TextPeer.accepted(served, true);
    peer.socket.pause();
    let isTaken = false;
    peer.send(good, bad);
    await until(() => socket.writableFinished, 'the server has said its end');
    peer.socket.write(Buffer.alloc(4 * MIB, good), () => (isTaken = true));
    await until(() => isTaken, 'the server has read on');
    expect(socket.destroyed).toBe(false);
    peer.socket.resume();
    await until(() => peer.hasEnded, 'the end came');
    expect(peer.text).toContain('BAD_FRAME');
    expect(peer.text).toContain(end);
    await peer.end().closed();
    expect(calls).toBe(1);
    await until(() => served.log.troubles.length > 0, 'it was logged');
    expect(served.log.troubles).toEqual([expect.stringMatching(/^BAD_FRAME: /)]);
  });

  it('is not waited for longer than closeTimeoutMs where the peer never says its end', async () => {
    const served = await servedIn(['ndjson'], { closeTimeoutMs: 60 });
    const { peer, socket } = await TextPeer.accepted(served, true);
    peer.send(LINE, 'x\n');
    await until(() => peer.hasEnded, 'the server has said its end');
    await until(() => socket.destroyed, 'the server has closed');
    expect(peer.lines.at(-1)).toMatchObject({ error: { code: 'BAD_FRAME' } });
  });
});
