import { beforeEach, describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import type { Socket } from 'node:net';
import { count, lastValueFrom } from 'rxjs';
import { clientOf, serve, serveAndConnect } from '../support/nest.js';
import { rawCall } from '../support/raw-frames.js';
import { RawPeer } from '../support/raw-peer.js';
import { turns, until } from '../support/wait.js';

const KIB = 1024;
const ROW_BYTES = 1000;
const NO_LIMIT = 0xffffffff;

let pulls = 0;
/** How many values the stream had given when another call was served. */
let pullsAtPing: number | undefined;

beforeEach(() => {
  pulls = 0;
  pullsAtPing = undefined;
});

@Controller()
class Rows {
  @MessagePattern('rows')
  async *rows(@Payload() total: string): AsyncGenerator<string> {
    while (pulls < Number(total)) {
      pulls += 1;
      yield 'x'.repeat(ROW_BYTES);
    }
  }

  @MessagePattern('numbers')
  *numbers(@Payload() total: number): Generator<number> {
    for (pulls = 0; pulls < total; pulls += 1) yield 1;
  }

  @MessagePattern('async-numbers')
  async *asyncNumbers(@Payload() total: number): AsyncGenerator<number> {
    yield* this.numbers(total);
  }

  @MessagePattern('ping')
  ping(): string {
    pullsAtPing ??= pulls;
    return 'pong';
  }
}

describe('a stream with any credit, to a client that does not read', () => {
  it('pauses while the socket takes no more, and goes on to its end once it does', async () => {
    const COUNT = 20_000;
    const MARK = 64 * KIB;
    const { path, server, client } = await serveAndConnect([Rows], { maxBufferedBytes: MARK });
    const accepted = new Promise<Socket>((resolve) => server.on('connection', resolve));
    const peer = await RawPeer.greeted(path);
    const socket = await accepted;
    peer.socket.pause();
    peer.send(rawCall({ id: 1, pattern: 'rows', payload: String(COUNT), credit: NO_LIMIT }));
    await until(() => socket.writableLength > MARK, 'the socket takes no more');

    await turns(20);
    const paused = pulls;
    for (let call = 0; call < 20; call += 1) {
      expect(await lastValueFrom(client.send('ping', 1))).toBe('pong');
    }
    expect(pulls).toBe(paused);
    // the mark, what one write adds to it, and what the system holds for both ends
    expect(paused * ROW_BYTES).toBeLessThan(2 * MARK + 2048 * KIB);
    expect(socket.writableLength).toBeLessThan(MARK + 128 * KIB);

    peer.socket.resume();
    await peer.frame(7, 1);
    expect(peer.frames.filter(({ type }) => type === 6)).toHaveLength(COUNT);
    expect(pulls).toBe(COUNT);
  });
});

describe('a long stream with any credit', () => {
  it.each(['numbers', 'async-numbers'])('lets other calls be served before its end: %s', async (pattern) => {
    const COUNT = 200_000;
    const GIB = KIB ** 3;
    // so that neither credit nor a full socket makes it pause
    const { path } = await serve([Rows], { maxBufferedBytes: GIB });
    const reader = clientOf(path, { streamCreditBytes: GIB });
    const other = clientOf(path);
    await Promise.all([reader.connect(), other.connect()]);
    const received = lastValueFrom(reader.send(pattern, COUNT).pipe(count()));
    await until(() => pulls > 0, 'the stream runs');
    expect(await lastValueFrom(other.send('ping', 1))).toBe('pong');
    expect(await received).toBe(COUNT);
    expect(pullsAtPing).toBeLessThan(COUNT);
  });
});
