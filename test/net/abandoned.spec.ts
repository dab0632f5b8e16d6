import { beforeEach, describe, expect, it } from '@jest/globals';
import { type CallHandler, Controller, type NestInterceptor, UseInterceptors } from '@nestjs/common';
import { Ctx, type Deserializer, MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import { Buffer } from 'node:buffer';
import { NEVER, type Observable, startWith } from 'rxjs';
import { UdsContext } from '../../src/index.js';
import { serve } from '../support/nest.js';
import { rawCall, rawFrame } from '../support/raw-frames.js';
import { beKnownAsCheap, RawPeer } from '../support/raw-peer.js';
import { TextPeer } from '../support/text-peer.js';
import { Gate, heldBack, turns, until } from '../support/wait.js';
import { TYPE } from '../support/wire-tap.js';

const LIMIT = 16;
/** So many times LIMIT of them may there be. */
const FACTOR = 4;

let gate = new Gate();
let begun = 0;
let running = 0;
/** Of those that run, how many have been told that nobody waits for them. */
let over = 0;

beforeEach(() => {
  gate = new Gate();
  [begun, running, over] = [0, 0, 0];
});

class PassOn implements NestInterceptor {
  intercept(_context: unknown, next: CallHandler): Observable<unknown> {
    return next.handle();
  }
}

@Controller()
class Work {
  /** Goes on whatever its signal says. */
  @MessagePattern('gated')
  async gated(@Payload() data: unknown, @Ctx() context?: UdsContext): Promise<unknown> {
    begun += 1;
    running += 1;
    context?.signal.addEventListener('abort', () => (over += 1));
    await gate.opened;
    running -= 1;
    return data;
  }

  @MessagePattern('streamed')
  async *streamed(data: unknown): AsyncGenerator {
    yield await this.gated(data);
  }

  /** Nest calls it behind an Observable. */
  @UseInterceptors(PassOn)
  @MessagePattern('intercepted')
  async intercepted(data: unknown): Promise<unknown> {
    return await this.gated(data);
  }

  @UseInterceptors(PassOn)
  @MessagePattern('endless')
  endless(data: unknown): Observable<unknown> {
    return NEVER.pipe(startWith(data));
  }

  @MessagePattern('aborts')
  aborts(@Payload() _data: unknown, @Ctx() { signal }: UdsContext): Promise<never> {
    begun += 1;
    return new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(new RpcException('aborted')));
    });
  }
}

const request = (id: number, pattern: string, timeoutMs = 0): Buffer =>
  rawCall({ id, pattern, payload: 'x', timeoutMs, credit: 1000 });

const cancel = (id: number): Buffer => rawFrame({ type: TYPE.CANCEL, id });

const idsFrom = (first: number, count: number): number[] =>
  Array.from({ length: count }, (_, at) => first + at);

/** Asks for what nobody handles; gives what the server says of it. */
async function ask(peer: RawPeer, id: number): Promise<string> {
  peer.send(request(id, 'nobody'));
  const { body } = await peer.frame(TYPE.ERROR, id);
  const { code, message } = JSON.parse(body.toString()) as { code: string; message: string };
  return `${code}: ${message}`;
}

/** Has as many requests abandoned as may be while somebody works for them. @param timeoutMs 0 for those that are cancelled. */
async function abandon(peer: RawPeer, pattern: string, timeoutMs: number): Promise<void> {
  for (let round = 0; round < FACTOR; round += 1) {
    const ids = idsFrom(1 + round * LIMIT, LIMIT);
    await sendAndWait(peer, ...ids.map((id) => request(id, pattern, timeoutMs)));
    if (timeoutMs === 0) await sendAndWait(peer, ...ids.map(cancel));
    else await until(() => over === (round + 1) * LIMIT, 'all of them are out of time');
  }
}

/** Sends frames, and waits until the server has read them. */
async function sendAndWait(peer: RawPeer, ...frames: Buffer[]): Promise<void> {
  const pongs = peer.frames.filter(({ type }) => type === TYPE.PONG).length;
  peer.send(...frames, rawFrame({ type: TYPE.PING, id: pongs + 1 }));
  await peer.frame(TYPE.PONG, pongs + 1);
}

describe('requests that are over while their handlers run on', () => {
  it.each([
    ['cancelled', 'gated', 0],
    ['cancelled, of a generator', 'streamed', 0],
    ['out of time', 'gated', 500],
  ])('have a bound that is told, and room once they have ended: %s', async (_what, pattern, timeoutMs) => {
    const { path } = await serve([Work], { maxInFlight: LIMIT });
    const peer = await RawPeer.greeted(path);
    await abandon(peer, pattern, timeoutMs);
    expect(running).toBe(FACTOR * LIMIT);
    expect(await ask(peer, 9000)).toMatch(
      /^TOO_MANY_REQUESTS: The handlers of 64 requests .*still run.*4 times/,
    );
    gate.open();
    await until(() => running === 0, 'they have ended');
    peer.send(request(9001, 'gated'));
    await peer.frame(TYPE.RESPONSE, 9001);
  });

  it('have it under an interceptor, which hides the handlers', async () => {
    const { path } = await serve([Work], { maxInFlight: LIMIT });
    const peer = await RawPeer.greeted(path);
    await abandon(peer, 'intercepted', 0);
    expect(running).toBe(FACTOR * LIMIT);
    expect(await ask(peer, 9000)).toMatch(/^TOO_MANY_REQUESTS: The handlers of 64/);
    gate.open();
  });

  it('have none under an interceptor where they have given an answer', async () => {
    const { path, log } = await serve([Work], { maxInFlight: LIMIT });
    const peer = await RawPeer.greeted(path);
    for (const id of idsFrom(1, 2 * FACTOR * LIMIT)) {
      peer.send(request(id, 'endless'));
      await peer.frame(TYPE.NEXT, id);
      peer.send(cancel(id));
    }
    expect(log.troubles).toEqual([]);
  });

  it('have it through a deserializer that takes its time', async () => {
    const deserializer: Deserializer<never, Promise<never>> = {
      async deserialize(packet: never): Promise<never> {
        await gate.opened;
        return packet;
      },
    };
    const { path } = await serve([Work], { maxInFlight: LIMIT, deserializer });
    const peer = await RawPeer.greeted(path);
    await abandon(peer, 'gated', 0);
    expect(await ask(peer, 9000)).toMatch(/^TOO_MANY_REQUESTS: The handlers of 64/);
    gate.open();
  });

  it('have none where the handlers look at their signal', async () => {
    const { path, log } = await serve([Work], { maxInFlight: LIMIT });
    const peer = await RawPeer.greeted(path);
    for (let round = 0; round < 3 * FACTOR; round += 1) {
      const ids = idsFrom(1 + round * LIMIT, LIMIT);
      peer.send(...ids.map((id) => request(id, 'aborts')));
      await until(() => begun === (round + 1) * LIMIT, 'all of them run');
      peer.send(...ids.map(cancel));
    }
    expect(await ask(peer, 9000)).toMatch(/^NO_HANDLER/);
    expect(log.troubles).toEqual([expect.stringMatching(/^NO_HANDLER/)]);
  });

  it('are no reason to refuse who cancels all that it may have in flight and asks for as much again', async () => {
    const { path, log } = await serve([Work], { maxInFlight: LIMIT });
    const peer = await RawPeer.greeted(path);
    await beKnownAsCheap(peer);
    const [first, second] = [idsFrom(1, LIMIT), idsFrom(1 + LIMIT, LIMIT)];
    peer.send(...first.map((id) => request(id, 'gated')));
    await until(() => begun === LIMIT, 'all of them run');
    peer.send(...first.map(cancel), ...second.map((id) => request(id, 'gated')));
    await until(() => begun === 2 * LIMIT, 'all of them run');
    expect(log.troubles).toEqual([]);
    gate.open();
  });

  it('hold a peer back that was told no limits: it is refused nothing', async () => {
    const served = await serve([Work], { maxInFlight: LIMIT });
    const { peer, socket } = await TextPeer.accepted(served);
    // Fewer at a time than would hold it back by themselves: its cancels are read, the last one as the last that may be.
    for (let first = 1; first < FACTOR * LIMIT; first += LIMIT / 2) {
      const ids = idsFrom(first, LIMIT / 2);
      peer.sendLines(...ids.map((id) => ({ id, pattern: 'gated', data: id })));
      await until(() => begun === first + LIMIT / 2 - 1, 'all of them run');
      peer.sendLines(...ids.map((id) => ({ id, cancel: true })));
    }
    await heldBack(socket);
    const ranBefore = begun;
    peer.sendLines({ id: 'last', pattern: 'gated', data: 1 });
    await turns();
    expect(begun).toBe(ranBefore);
    gate.open();
    expect(await peer.linesCome(1)).toEqual([{ id: 'last', response: 1 }]);
    expect(served.log.troubles).toEqual([]);
  });
});
