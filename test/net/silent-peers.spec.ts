import { describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { EventPattern, MessagePattern } from '@nestjs/microservices';
import { setImmediate, setTimeout as delay } from 'node:timers/promises';
import { lastValueFrom } from 'rxjs';
import { clientOf, serve } from '../support/nest.js';
import { rawCall } from '../support/raw-frames.js';
import { RawPeer } from '../support/raw-peer.js';
import { TextPeer } from '../support/text-peer.js';
import { turns } from '../support/wait.js';

@Controller()
class Echo {
  @MessagePattern('echo')
  echo(data: unknown): unknown {
    return data;
  }

  /** Ends after as many turns of the loop as its text is long. */
  @EventPattern('noted')
  async noted(text: string): Promise<void> {
    for (let turn = 0; turn < text.length; turn += 1) await setImmediate();
  }
}

describe('where maxConnections are open', () => {
  it('the one that has been silent for longest makes room, and the others stay', async () => {
    const { path, log } = await serve([Echo], { maxConnections: 4, silentGraceMs: 20 });
    const spoken = await RawPeer.greeted(path);
    const first = await TextPeer.to(path);
    const second = await TextPeer.to(path);
    await delay(30);
    expect(await lastValueFrom(clientOf(path).send('echo', 1))).toBe(1);
    await first.closed();
    expect([spoken.isClosed, second.isClosed]).toEqual([false, false]);
    expect(log.troubles[0]).toMatch(/^TOO_MANY_CONNECTIONS: .*nothing for 20 ms.*silentGraceMs/);
  });

  it('and all of them silent for long, each newcomer gets in by itself', async () => {
    const { path } = await serve([Echo], { maxConnections: 3, silentGraceMs: 20 });
    const silent = [await TextPeer.to(path), await TextPeer.to(path), await TextPeer.to(path)];
    await delay(30);
    const clients = [clientOf(path), clientOf(path), clientOf(path)];
    for (const client of clients) await client.connect();
    for (const peer of silent) await peer.closed();
    for (const client of clients) expect(await lastValueFrom(client.send('echo', 1))).toBe(1);
  });

  it('those that have left are not among them, whenever their last event ended', async () => {
    const { path, log } = await serve([Echo], { maxConnections: 3, silentGraceMs: 20 });
    for (let count = 0; count < 40; count += 1) {
      const peer = await RawPeer.greeted(path);
      peer.send(rawCall({ pattern: 'noted', payload: 'x'.repeat(count % 8) }));
      peer.socket.end();
      await peer.closed();
    }
    const silent = await TextPeer.to(path);
    await delay(30);
    expect(await lastValueFrom(clientOf(path).send('echo', 1))).toBe(1);
    await turns();
    expect(silent.isClosed).toBe(false);
    expect(log.troubles).toEqual([]);
  });

  it('none that has come makes room for itself, though no silence is allowed for and one alone may be there', async () => {
    const { path, log } = await serve([Echo], { maxConnections: 1, silentGraceMs: 0 });
    const silent = await TextPeer.to(path);
    await turns();
    expect(silent.isClosed).toBe(false);
    expect(await lastValueFrom(clientOf(path).send('echo', 1))).toBe(1);
    await silent.closed();
    expect(log.troubles.filter((line) => line.includes('nothing for 0 ms'))).toHaveLength(1);
  });

  it('one that has come just now is not closed, nor one that has spoken', async () => {
    const { path, log } = await serve([Echo], { maxConnections: 2, silentGraceMs: 60_000 });
    const spoken = await RawPeer.greeted(path);
    const silent = await TextPeer.to(path);
    const refused = await TextPeer.to(path);
    await refused.closed();
    expect([spoken.isClosed, silent.isClosed]).toEqual([false, false]);
    expect(log.troubles).toEqual([
      expect.stringMatching(/^TOO_MANY_CONNECTIONS: A connection was refused: 2 are open/),
    ]);
  });
});
