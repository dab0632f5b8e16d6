import { beforeEach, describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { MessagePattern } from '@nestjs/microservices';
import { Readable } from 'node:stream';
import { lastValueFrom, Observable, of } from 'rxjs';
import { serve, serveAndConnect } from '../support/nest.js';
import { rawCall, rawFrame } from '../support/raw-frames.js';
import { RawPeer } from '../support/raw-peer.js';
import { Gate, until } from '../support/wait.js';

let readable: Readable;
let running = 0;
let gate = new Gate();

beforeEach(() => {
  running = 0;
  gate = new Gate();
  // endless, as the contents of a device would be
  readable = new Readable({ read: () => readable.push('x'.repeat(100)) });
});

@Controller()
class Files {
  @MessagePattern('at-once')
  atOnce(): Readable {
    running += 1;
    return readable;
  }

  @MessagePattern('late')
  async late(): Promise<Readable> {
    running += 1;
    await gate.opened;
    return readable;
  }

  @MessagePattern('behind-another')
  behindAnother(): Observable<unknown> {
    running += 1;
    return of(new Readable({ read: () => undefined }), readable);
  }

  @MessagePattern('ping')
  ping(): string {
    return 'pong';
  }
}

const isDestroyed = (): Promise<void> => until(() => readable.destroyed, 'the stream was destroyed');

describe('a stream of Node that a handler gives', () => {
  it('is read, and destroyed where its reader leaves', async () => {
    const { client } = await serveAndConnect([Files]);
    for await (const chunk of client.stream('at-once', 1)) {
      expect(String(chunk)).toContain('x');
      break;
    }
    await isDestroyed();
  });

  it('is destroyed where its call was cancelled before', async () => {
    const { client } = await serveAndConnect([Files]);
    const subscription = client.send('late', 1).subscribe();
    await until(() => running === 1, 'the handler runs');
    subscription.unsubscribe();
    expect(await lastValueFrom(client.send('ping', 1))).toBe('pong');
    gate.open();
    await isDestroyed();
  });

  it.each(['at-once', 'behind-another'])(
    'is destroyed where its call is cancelled while it waits for credit: %s',
    async (pattern) => {
      const { path } = await serve([Files]);
      const peer = await RawPeer.greeted(path);
      peer.send(rawCall({ id: 1, pattern, payload: 'x', credit: 0 }));
      await until(() => running === 1, 'the handler runs');
      peer.send(rawFrame({ type: 11, id: 5 }));
      await peer.frame(12, 5);
      expect(readable.destroyed).toBe(false);
      peer.send(rawFrame({ type: 9, id: 1 }));
      await isDestroyed();
      expect(peer.frames.filter(({ id }) => id === 1)).toEqual([]);
    },
  );

  it('is destroyed where the caller goes while it waits for credit', async () => {
    const { path } = await serve([Files]);
    const peer = await RawPeer.greeted(path);
    peer.send(rawCall({ id: 1, pattern: 'at-once', payload: 'x', credit: 0 }));
    await until(() => running === 1, 'the handler runs');
    peer.socket.destroy();
    await isDestroyed();
  });
});
