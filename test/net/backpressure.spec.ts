import { beforeEach, describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { Buffer } from 'node:buffer';
import type { Socket } from 'node:net';
import { lastValueFrom } from 'rxjs';
import { UdsRecordBuilder } from '../../src/index.js';
import { clientOf, serve, serveAndConnect, socketPath } from '../support/nest.js';
import { rawCall } from '../support/raw-frames.js';
import { RawPeer } from '../support/raw-peer.js';
import { RawServer } from '../support/raw-server.js';
import { heldBack, turns, until } from '../support/wait.js';

const KIB = 1024;
const MIB = KIB ** 2;

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

/** Bytes that tell one call from another. */
const bytesOf = (size: number, seed: number): Buffer => Buffer.alloc(size, `${seed},`);

describe('both ends write at once', () => {
  it.each([
    [64, MIB, '1 MiB'],
    [512, 16 * KIB, '16 KiB'],
  ])('%d echoes of %d bytes (%s) are all answered', async (count, size) => {
    const { client } = await serveAndConnect([Echo]);
    const echoes = Array.from({ length: count }, async (_, seed) => {
      const sent = bytesOf(size, seed);
      const answer = await lastValueFrom(client.send<Buffer>('echo', sent));
      return answer.equals(sent);
    });
    expect(await Promise.all(echoes)).toEqual(echoes.map(() => true));
  });

  it('several clients, each with more than the buffers hold', async () => {
    const { path } = await serve([Echo], { maxBufferedBytes: 64 * KIB });
    const echoes = Array.from({ length: 4 }, () => clientOf(path, { maxBufferedBytes: 64 * KIB })).flatMap(
      (client) =>
        Array.from({ length: 16 }, async (_, seed) => {
          const sent = bytesOf(200 * KIB, seed);
          return (await lastValueFrom(client.send<Buffer>('echo', sent))).equals(sent);
        }),
    );
    expect(await Promise.all(echoes)).toEqual(echoes.map(() => true));
  });
});

describe('a client that never reads', () => {
  const COUNT = 400;
  const SIZE = 32 * KIB;
  const MARK = 256 * KIB;

  async function stalled(closeTimeoutMs = 500): Promise<{
    peer: RawPeer;
    socket: Socket;
    served: Awaited<ReturnType<typeof serveAndConnect>>;
  }> {
    const served = await serveAndConnect([Echo], { maxBufferedBytes: MARK, closeTimeoutMs });
    const accepted = new Promise<Socket>((resolve) => served.server.on('connection', resolve));
    const peer = await RawPeer.greeted(served.path);
    peer.socket.pause();
    for (let id = 1; id <= COUNT; id += 1) {
      peer.send(rawCall({ id, pattern: 'echo', kind: 3, payload: bytesOf(SIZE, id) }));
    }
    const socket = await accepted;
    await heldBack(socket);
    return { peer, socket, served };
  }

  it('is read no further: what waits for it stays bounded, and another client is served', async () => {
    const { peer, socket, served } = await stalled();
    const before = calls;
    for (let call = 0; call < 50; call += 1) {
      expect(await lastValueFrom(served.client.send('echo', call))).toBe(call);
      // the mark, and the answers to what one chunk brought
      expect(socket.writableLength).toBeLessThan(MARK + 128 * KIB);
    }
    expect(calls - before).toBe(50);
    expect(before).toBeLessThan(COUNT / 4);
    expect(socket.isPaused()).toBe(true);

    // it reads on: nothing was lost
    peer.socket.resume();
    await until(() => peer.frames.length === 1 + COUNT, 'all are answered');
    expect(peer.frames.slice(1).map(({ id, body }) => body.equals(bytesOf(SIZE, id)))).not.toContain(false);
    await until(() => !socket.isPaused(), 'the server reads again');
  });

  it('holds a server that closes for its closeTimeoutMs, and not once more for the last bytes', async () => {
    const CLOSE_MS = 2000;
    const { peer, served } = await stalled(CLOSE_MS);
    const startedMs = performance.now();
    await served.app.close();
    expect(performance.now() - startedMs).toBeLessThan(2 * CLOSE_MS - 200);
    peer.socket.resume();
    await peer.closed();
  });
});

describe('a server that never reads', () => {
  it('has no more than maxBufferedBytes packed for it: further calls wait, and run out of time', async () => {
    const server = await RawServer.listening(socketPath(), {
      accept: (socket) => socket.pause(),
      greet: true,
    });
    const client = clientOf(server.path, { maxBufferedBytes: 128 * KIB, maxQueuedCalls: 300 });
    await client.connect();
    const record = new UdsRecordBuilder(bytesOf(16 * KIB, 1)).setTimeoutMs(150).build();
    const failures = Array.from({ length: 100 }, () =>
      lastValueFrom(client.send('x', record)).catch((error: unknown) => error),
    );
    await turns();
    expect(client.unwrap<Socket>().writableLength).toBeLessThan(128 * KIB + 2 * 16 * KIB);
    for (const failure of failures) expect(await failure).toMatchObject({ code: 'DEADLINE_EXCEEDED' });
  });
  it('fails an event that it has not taken in time, and lets the next one wait', async () => {
    const server = await RawServer.listening(socketPath(), {
      accept: (socket) => socket.pause(),
      greet: true,
    });
    const client = clientOf(server.path, { maxBufferedBytes: 128 * KIB });
    await client.connect();
    const record = new UdsRecordBuilder(bytesOf(64 * KIB, 1)).setTimeoutMs(150).build();
    const failures = Array.from({ length: 20 }, () =>
      lastValueFrom(client.emit('x', record)).catch((error: unknown) => error),
    );
    const codes = (await Promise.all(failures)).map(
      (error) => (error as { code?: string } | undefined)?.code,
    );
    // the system's own buffers hold the first ones
    expect(codes.at(-1)).toBe('DEADLINE_EXCEEDED');
    expect(codes.filter((code) => code !== undefined && code !== 'DEADLINE_EXCEEDED')).toEqual([]);
  });
  it('and goes away: the events that it has not taken fail with CONNECTION_LOST', async () => {
    const server = await RawServer.listening(socketPath(), {
      accept: (socket) => socket.pause(),
      greet: true,
    });
    const client = clientOf(server.path, { maxBufferedBytes: 64 * MIB });
    await client.connect();
    const results = Promise.allSettled(
      Array.from({ length: 20 }, () => lastValueFrom(client.emit('x', bytesOf(256 * KIB, 1)))),
    );
    await until(() => client.unwrap<Socket>().writableLength > 0, 'the system takes no more');
    for (const socket of server.sockets) socket.destroy();
    expect((await results).at(-1)).toMatchObject({ reason: { code: 'CONNECTION_LOST' } });
  });
});
