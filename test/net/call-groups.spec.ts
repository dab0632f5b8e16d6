import { beforeEach, describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import type { Buffer } from 'node:buffer';
import { serve } from '../support/nest.js';
import { rawCall, rawFrame } from '../support/raw-frames.js';
import { beKnownAsCheap, RawPeer } from '../support/raw-peer.js';
import { packetOf, TextPeer } from '../support/text-peer.js';
import { turns, until } from '../support/wait.js';
import { TYPE } from '../support/wire-tap.js';

const MANY = 64;
const ALONE_MS = 300;

let begun = 0;

beforeEach(() => {
  begun = 0;
});

@Controller()
class Counting {
  /** How many have begun by the time at which this one is answered. */
  @MessagePattern('count')
  async count(): Promise<number> {
    begun += 1;
    await Promise.resolve();
    return begun;
  }

  @EventPattern('counted')
  counted(@Payload() _data: unknown): void {
    begun += 1;
  }
}

const requests = (): Buffer[] =>
  Array.from({ length: MANY }, (_, at) => rawCall({ id: at + 1, pattern: 'count' }));
const events = (): Buffer[] => Array.from({ length: MANY }, () => rawCall({ pattern: 'counted' }));

async function peerOf(): Promise<RawPeer> {
  const { path } = await serve([Counting]);
  const peer = await RawPeer.greeted(path);
  // Who has been alone for a while has long turns: what comes then is read in one go.
  for (const endsAtMs = performance.now() + ALONE_MS; performance.now() < endsAtMs;)
    await beKnownAsCheap(peer);
  return peer;
}

describe('many calls that are read together', () => {
  it('start in groups: the first are answered before the last have begun', async () => {
    const peer = await peerOf();
    peer.send(...requests());
    expect(Number((await peer.frame(TYPE.RESPONSE, 1)).body)).toBeLessThan(MANY / 2);
    expect(Number((await peer.frame(TYPE.RESPONSE, MANY)).body)).toBe(MANY);
  });

  it('keep their order', async () => {
    const peer = await peerOf();
    peer.send(...requests());
    await peer.frame(TYPE.RESPONSE, MANY);
    const counts = peer.frames.filter(({ type }) => type === TYPE.RESPONSE).map(({ body }) => Number(body));
    expect(counts).toEqual(counts.toSorted((a, b) => a - b));
  });

  it('all start where they are so short that nobody looks at what they cost', async () => {
    const { path, log } = await serve([Counting], { maxLogLinesPerCode: MANY });
    const peer = await TextPeer.to(path);
    peer.send('1#0'.repeat(40));
    await until(() => log.troubles.length === 40, 'each was told that nobody handles it');
    peer.send(packetOf({ id: 'behind', pattern: 'count', data: 1 }));
    await until(() => peer.text.includes('behind'), 'what comes behind them is answered');
  });

  it('never start where a CANCEL behind all of them ends them', async () => {
    const peer = await peerOf();
    peer.send(...requests(), rawFrame({ type: TYPE.CANCEL, id: MANY }));
    await peer.frame(TYPE.RESPONSE, MANY - 1);
    await until(() => begun === MANY - 1, 'the others ran');
    expect(peer.frames.filter(({ id }) => id === MANY)).toEqual([]);
  });

  it('start all the same where they are events and what follows ends the connection', async () => {
    const peer = await peerOf();
    peer.send(...events(), rawFrame({ type: 99 }));
    await peer.closed();
    await until(() => begun === MANY, 'all ran');
  });

  it('hold nobody back who has cancelled all of them behind them', async () => {
    const { path } = await serve([Counting]);
    const peer = await TextPeer.to(path);
    const pings = Array.from({ length: 100 }, () => ({ id: 0, ping: true }));
    let before = 0;
    for (const endsAtMs = performance.now() + ALONE_MS; performance.now() < endsAtMs;)
      await peer.sendLines(...pings).linesCome((before += 100));
    // Two groups in which none runs.
    const ids = Array.from({ length: 32 }, (_, at) => at + 1);
    peer.sendLines(
      ...ids.map((id) => ({ id, pattern: 'count' })),
      ...ids.map((id) => ({ id, cancel: true })),
    );
    await turns();
    peer.sendLines({ id: 'last', pattern: 'count' });
    const lines = await peer.linesCome(before + 1);
    expect(lines.slice(before).map(({ id }) => id)).toEqual(['last']);
  });
});
