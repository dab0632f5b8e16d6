import { beforeEach, describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { EventPattern, MessagePattern } from '@nestjs/microservices';
import { Buffer } from 'node:buffer';
import type { Socket } from 'node:net';
import { interval, mergeMap, Observable, take } from 'rxjs';
import { EVENT_COST_BYTES, REQUEST_COST_BYTES } from '../../src/protocol/call.js';
import { clientOf, type Served, serve } from '../support/nest.js';
import { rawCall, rawFrame } from '../support/raw-frames.js';
import { beKnownAsCheap, RawPeer } from '../support/raw-peer.js';
import { Gate, heldBack, turns, until } from '../support/wait.js';
import { TYPE } from '../support/wire-tap.js';

const [COMPLETE, CREDIT] = [7, 10];
const KIB = 1024;
const MIB = KIB ** 2;
/** Of each stream, in so many values. */
const STREAM_VALUES = 10;
const VALUE = 'x'.repeat(10 * KIB);

let gate = new Gate();
let begun = 0;

beforeEach(() => {
  gate = new Gate();
  begun = 0;
});

@Controller()
class Work {
  @MessagePattern('length')
  lengthOf(data: { readonly length: number }): number {
    return data.length;
  }

  @MessagePattern('gated')
  async gated(_data: unknown): Promise<string> {
    begun += 1;
    await gate.opened;
    return '';
  }

  @EventPattern('noted')
  async noted(data: unknown): Promise<void> {
    await this.gated(data);
  }

  /** Gives the same again and again. */
  @MessagePattern('trickled')
  trickled(_data: unknown): Observable<string> {
    return interval(20).pipe(
      take(20),
      mergeMap(() => Array.from({ length: STREAM_VALUES }, () => VALUE)),
    );
  }

  /** Gives all at once. */
  @MessagePattern('pushed')
  pushed(_data: unknown): Observable<string> {
    return new Observable((subscriber) => {
      begun += 1;
      for (let count = 0; count < STREAM_VALUES; count += 1) subscriber.next(VALUE);
      subscriber.complete();
    });
  }
}

/** A server of one MiB for frames and one for all else. */
async function serving(): Promise<Served & { sockets: Socket[] }> {
  const served = await serve([Work], { maxFrameBytes: MIB, maxTotalBufferedBytes: 2 * MIB });
  const sockets: Socket[] = [];
  served.server.on('connection', (socket: Socket) => sockets.push(socket));
  return { ...served, sockets };
}

const calls = (count: number, pattern: string, more: object = {}): Buffer[] =>
  Array.from({ length: count }, (_, at) =>
    rawCall({ id: pattern === 'noted' ? 0 : at + 1, pattern, kind: 0, ...more }),
  );

async function answersShort(path: string, id = 1): Promise<void> {
  const other = await RawPeer.greeted(path);
  other.send(rawCall({ id, pattern: 'length', payload: 'x' }));
  await other.frame(TYPE.RESPONSE, id);
}

describe('what a short call takes beside its bytes', () => {
  it.each([
    ['requests', 'gated', REQUEST_COST_BYTES],
    ['events', 'noted', EVENT_COST_BYTES],
  ])('counts, so that one who has many %s under way is read no further', async (_what, pattern, cost) => {
    const { path, sockets } = await serving();
    const peer = await RawPeer.greeted(path);
    await beKnownAsCheap(peer);
    peer.send(...calls(600, pattern));
    await heldBack(sockets[0]!);
    // Half of what there is, and what was read in one go.
    expect(begun * cost).toBeLessThan(MIB);
    expect(begun * cost).toBeGreaterThan(MIB / 3);
    await answersShort(path);
    gate.open();
    await until(() => begun === 600, 'it is read on');
  });

  it('counts in full when its peer has gone, so that nobody has more run by coming again', async () => {
    const { path, sockets } = await serving();
    for (let visit = 0; visit < 60; visit += 1) {
      const peer = await RawPeer.to(path);
      peer.send(...calls(20, 'gated').map((_call, at) => `{"id":${at},"pattern":"gated"}\n`));
      await until(() => (sockets[visit]?.bytesRead ?? 0) > 0, 'it was read');
      peer.socket.destroy();
    }
    await turns();
    expect(begun * REQUEST_COST_BYTES).toBeLessThan(2.1 * MIB);
    gate.open();
    await answersShort(path);
  });
});

describe('what is made of JSON', () => {
  it.each([
    ['an object counts as more than its bytes', 1, false],
    ['a text does not', 2, true],
  ])('%s', async (_what, kind, areAllRead) => {
    const { path, sockets } = await serving();
    const peer = await RawPeer.greeted(path);
    const text = `[${'0,'.repeat(15 * KIB)}0]`;
    peer.send(...calls(6, 'gated', { kind, payload: text }));
    if (areAllRead) await until(() => begun === 6, 'all of them run');
    else await heldBack(sockets[0]!);
    expect(begun === 6).toBe(areAllRead);
    gate.open();
    await peer.frame(TYPE.RESPONSE, 6);
  });
});

describe('long frames of many connections', () => {
  it('are taken while there is room for their calls, and wait for it', async () => {
    const { path, sockets } = await serving();
    const peers = await Promise.all(Array.from({ length: 20 }, () => RawPeer.greeted(path)));
    for (const peer of peers)
      peer.send(rawCall({ id: 1, pattern: 'gated', kind: 3, payload: Buffer.alloc(300 * KIB) }));
    await until(() => begun >= 3, 'the first ones run');
    await heldBack(sockets.at(-1)!);
    expect(begun).toBeLessThan(6);
    await answersShort(path);
    gate.open();
    for (const peer of peers) await peer.frame(TYPE.RESPONSE, 1);
  });

  it('do not keep the credit of streams that lies behind them waiting', async () => {
    const { path, sockets } = await serving();
    const reader = await RawPeer.greeted(path);
    reader.send(...calls(3, 'pushed'));
    await until(() => begun === 3, 'the streams wait for credit');
    const holder = await RawPeer.greeted(path);
    holder.send(
      rawCall({ id: 1, pattern: 'length', kind: 3, payload: Buffer.alloc(700 * KIB) }).subarray(0, 1000),
    );
    await until(() => sockets[1]!.bytesRead > 1000, 'it has begun a frame, and has the room of its call');
    const credit = rawFrame({ type: CREDIT, id: 1, body: Buffer.from([0x7f, 0, 0, 0]) });
    reader.send(rawCall({ id: 9, pattern: 'length', kind: 3, payload: Buffer.alloc(300 * KIB) }), credit);
    await reader.frame(COMPLETE, 1);
    expect(await reader.refusal(9)).toBe('TOO_MANY_REQUESTS');
  });
});

describe('what streams keep for readers that give no credit', () => {
  it('counts: the one that wants to keep more than there is room for ends, and those that have credit go on', async () => {
    const { path, log } = await serving();
    const peer = await RawPeer.greeted(path);
    peer.send(...calls(8, 'pushed'), rawCall({ id: 9, pattern: 'pushed', kind: 0, credit: MIB }));
    await peer.frame(TYPE.RESPONSE, 9);
    expect(await peer.refusal(8)).toBe('STREAM_OVERFLOW');
    const refused = peer.frames.filter(({ type }) => type === TYPE.ERROR).map(({ id }) => id);
    expect(refused).toEqual([5, 6, 7, 8]);
    expect(log.troubles).toEqual(
      refused.map(() => expect.stringMatching(/^STREAM_OVERFLOW.*maxTotalBuffered/) as unknown),
    );
  });

  it('counts no more once it was read', async () => {
    const { path } = await serving();
    let values = 0;
    for await (const value of clientOf(path, { streamCreditBytes: 20 * KIB }).stream<string>('trickled', ''))
      values += value === VALUE ? 1 : 0;
    expect(values).toBe(20 * STREAM_VALUES);
  });
});
