import { beforeEach, describe, expect, it } from '@jest/globals';
import { type ArgumentsHost, Catch, Controller, UseFilters } from '@nestjs/common';
import { BaseRpcExceptionFilter, Ctx, MessagePattern, Payload } from '@nestjs/microservices';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { EMPTY, firstValueFrom, lastValueFrom, Observable, take } from 'rxjs';
import { UdsContext, UdsError } from '../../src/index.js';
import { clientOf, serve, serveAndConnect } from '../support/nest.js';
import { rawCall, rawFrame } from '../support/raw-frames.js';
import { RawPeer } from '../support/raw-peer.js';
import { Gate, until } from '../support/wait.js';

let started = 0;
let aborted: UdsError[] = [];
let tornDown = 0;
let finallyRan = 0;
let returned = 0;
let pulls = 0;
let late = new Gate();

beforeEach(() => {
  started = tornDown = finallyRan = returned = pulls = 0;
  aborted = [];
  late = new Gate();
});

/** As docs/errors.md has it. */
@Catch()
class QuietWhenAborted extends BaseRpcExceptionFilter {
  override catch(error: Error, host: ArgumentsHost): Observable<unknown> {
    const { signal } = host.switchToRpc().getContext<UdsContext>();
    return signal.aborted ? EMPTY : super.catch(error, host);
  }
}

@Controller()
class Cancellable {
  @MessagePattern('promise')
  promise(@Ctx() context: UdsContext): Promise<void> {
    started += 1;
    return new Promise((resolve) => {
      context.signal.addEventListener('abort', () => {
        aborted.push(context.signal.reason as UdsError);
        resolve();
      });
    });
  }

  @MessagePattern('quiet')
  @UseFilters(QuietWhenAborted)
  async quiet(@Payload() how: string, @Ctx() { signal }: UdsContext): Promise<void> {
    if (how === 'fails') throw new Error('broken handler');
    started += 1;
    try {
      await delay(3_600_000, undefined, { signal });
    } finally {
      finallyRan += 1;
    }
  }

  @MessagePattern('late-signal')
  async lateSignal(@Ctx() context: UdsContext): Promise<void> {
    started += 1;
    await late.opened;
    if (context.signal.aborted) aborted.push(context.signal.reason as UdsError);
  }

  @MessagePattern('observable')
  observable(): Observable<number> {
    return new Observable((observer) => {
      started += 1;
      observer.next(started);
      return () => (tornDown += 1);
    });
  }

  @MessagePattern('teardown-throws')
  teardownThrows(): Observable<number> {
    return new Observable(() => {
      started += 1;
      return () => {
        tornDown += 1;
        throw new Error('broken teardown');
      };
    });
  }

  @MessagePattern('generator')
  async *generator(): AsyncGenerator<number> {
    started += 1;
    try {
      while (true) {
        await new Promise(setImmediate);
        yield (pulls += 1);
      }
    } finally {
      finallyRan += 1;
    }
  }

  /** Waits as one waits for a query or a request: with the call's signal. */
  @MessagePattern('waiting-generator')
  async *waitingGenerator(@Payload() how: string, @Ctx() { signal }: UdsContext): AsyncGenerator<number> {
    yield (started += 1);
    try {
      await delay(3_600_000, undefined, { signal });
    } catch (error) {
      throw how === 'reason' ? signal.reason : how === 'AbortError' ? error : new Error('broken cleanup');
    } finally {
      finallyRan += 1;
    }
  }

  @MessagePattern('iterable')
  iterable(): AsyncIterable<number> {
    return {
      [Symbol.asyncIterator]: () => ({
        next: async () => {
          await new Promise(setImmediate);
          return { done: false, value: (pulls += 1) };
        },
        return: async () => {
          returned += 1;
          return { done: true, value: undefined };
        },
      }),
    };
  }

  @MessagePattern('ping')
  ping(): string {
    return 'pong';
  }
}

describe('unsubscribing', () => {
  it("aborts the handler's signal, with CALL_ABORTED as its reason", async () => {
    const { client } = await serveAndConnect([Cancellable]);
    const subscription = client.send('promise', 1).subscribe();
    await until(() => started === 1, 'the handler runs');
    subscription.unsubscribe();
    await until(() => aborted.length === 1, 'the signal aborted');
    expect(aborted[0]).toMatchObject({ code: 'CALL_ABORTED' });
  });

  it('gives a signal that is first asked for afterwards as aborted', async () => {
    const { client } = await serveAndConnect([Cancellable]);
    const subscription = client.send('late-signal', 1).subscribe();
    await until(() => started === 1, 'the handler runs');
    subscription.unsubscribe();
    expect(await lastValueFrom(client.send('ping', 1))).toBe('pong');
    late.open();
    await until(() => aborted.length === 1, 'the signal was read');
  });

  it("tears the handler's Observable down, once", async () => {
    const { client } = await serveAndConnect([Cancellable]);
    for (let call = 1; call <= 5; call += 1) {
      expect(await firstValueFrom(client.send('observable', 1))).toBe(call);
      await until(() => tornDown === call, 'the Observable was torn down');
    }
    expect(await lastValueFrom(client.send('ping', 1))).toBe('pong');
    expect(tornDown).toBe(5);
  });

  it.each([
    ['reason', []],
    ['AbortError', []],
    ['an error of its own', ['broken cleanup']],
  ])("logs what a generator throws then, unless it is the abort's own: %s", async (how, troubles) => {
    const { client, log } = await serveAndConnect([Cancellable]);
    await firstValueFrom(client.send('waiting-generator', how));
    await until(() => finallyRan === 1, 'finally ran');
    expect(await lastValueFrom(client.send('ping', 1))).toBe('pong');
    expect(log.troubles).toEqual(troubles);
  });

  it('leaves no line of log where a filter keeps it quiet, and only then', async () => {
    const { client, log } = await serveAndConnect([Cancellable]);
    const subscription = client.send('quiet', 'waits').subscribe();
    await until(() => started === 1, 'the handler runs');
    subscription.unsubscribe();
    await until(() => finallyRan === 1, 'it was told');
    expect(await lastValueFrom(client.send('ping', 1))).toBe('pong');
    expect(log.troubles).toEqual([]);
    await expect(lastValueFrom(client.send('quiet', 'fails'))).rejects.toMatchObject({ status: 'error' });
    expect(log.troubles).toEqual(['broken handler']);
  });

  it("calls an iterable's return() once", async () => {
    const { client } = await serveAndConnect([Cancellable]);
    await lastValueFrom(client.send('iterable', 1).pipe(take(3)));
    await until(() => returned > 0, 'return() was called');
    const before = pulls;
    for (let turn = 0; turn < 20; turn += 1) await lastValueFrom(client.send('ping', 1));
    expect(returned).toBe(1);
    expect(pulls - before).toBeLessThanOrEqual(1);
  });

  it('takes a call back that still waited to be sent', async () => {
    const { path } = await serve([Cancellable], { maxInFlight: 16 });
    const client = clientOf(path);
    const running = Array.from({ length: 16 }, () => client.send('promise', 1).subscribe());
    await until(() => started === 16, 'all run');
    client.send('observable', 1).subscribe().unsubscribe();
    for (const subscription of running) subscription.unsubscribe();
    expect(await lastValueFrom(client.send('ping', 1))).toBe('pong');
    expect({ started, tornDown }).toEqual({ started: 16, tornDown: 0 });
  });

  it('leaves a server standing whose handler throws while it is torn down', async () => {
    const { client, log } = await serveAndConnect([Cancellable]);
    const subscription = client.send('teardown-throws', 1).subscribe();
    await until(() => started === 1, 'the handler runs');
    subscription.unsubscribe();
    await until(() => tornDown === 1, 'the teardown ran');
    expect(await lastValueFrom(client.send('ping', 1))).toBe('pong');
    expect(log.troubles).toEqual([expect.stringContaining('broken teardown')]);
  });
});

describe('a peer that leaves', () => {
  it('has all that ran for it cancelled, with CONNECTION_LOST as the reason', async () => {
    const { path, log } = await serve([Cancellable]);
    const client = clientOf(path);
    client.send('promise', 1).subscribe({ error: () => undefined });
    client.send('observable', 1).subscribe({ error: () => undefined });
    client.send('generator', 1).subscribe({ error: () => undefined });
    await until(() => started === 3, 'all run');
    client.unwrap<Socket>().destroy();
    await until(() => aborted.length + tornDown + finallyRan === 3, 'all were cancelled');
    expect(aborted[0]).toMatchObject({ code: 'CONNECTION_LOST' });
    expect(log.troubles).toEqual([]);
  });
});

describe('on the wire', () => {
  it('nothing is sent for a call after its CANCEL', async () => {
    const { path } = await serve([Cancellable]);
    const peer = await RawPeer.greeted(path);
    peer.send(rawCall({ id: 1, pattern: 'generator', payload: 'x', credit: 0xffffffff }));
    await until(() => peer.frames.filter(({ id }) => id === 1).length > 5, 'values come');
    peer.send(rawFrame({ type: 9, id: 1 }), rawFrame({ type: 11, id: 77 }));
    await peer.frame(12, 77);
    const before = peer.frames.length;
    await until(() => finallyRan === 1, 'finally ran');
    peer.send(rawFrame({ type: 11, id: 78 }));
    await peer.frame(12, 78);
    expect(peer.frames).toHaveLength(before + 1);
  });

  it('CANCEL and CREDIT for a call that is over or never was are ignored', async () => {
    const { path, log } = await serve([Cancellable]);
    const peer = await RawPeer.greeted(path);
    peer.send(rawCall({ id: 1, pattern: 'ping', payload: 'x' }));
    await peer.frame(5, 1);
    const credit = Uint8Array.from([0, 0, 1, 0]);
    for (const id of [1, 99]) peer.send(rawFrame({ type: 9, id }), rawFrame({ type: 10, id, body: credit }));
    peer.send(rawCall({ id: 2, pattern: 'ping', payload: 'x' }));
    await peer.frame(5, 2);
    expect(log.troubles).toEqual([]);
  });
});
