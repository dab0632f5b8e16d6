import { beforeEach, describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { Ctx, MessagePattern } from '@nestjs/microservices';
import { getEventListeners } from 'node:events';
import { lastValueFrom } from 'rxjs';
import { UdsContext, UdsError, UdsRecordBuilder } from '../../src/index.js';
import { serveAndConnect } from '../support/nest.js';
import { until } from '../support/wait.js';

let started = 0;
let aborted: UdsError[] = [];
let finallyRan = 0;

beforeEach(() => {
  started = finallyRan = 0;
  aborted = [];
});

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

  @MessagePattern('generator')
  async *generator(): AsyncGenerator<number> {
    started += 1;
    try {
      for (let value = 1; ; value += 1) {
        await new Promise(setImmediate);
        yield value;
      }
    } finally {
      finallyRan += 1;
    }
  }

  @MessagePattern('ping')
  ping(): string {
    return 'pong';
  }
}

describe('an AbortSignal', () => {
  it('cancels its call, which fails with CALL_ABORTED', async () => {
    const { client } = await serveAndConnect([Cancellable]);
    const abort = new AbortController();
    const failed = lastValueFrom(
      client.send('promise', new UdsRecordBuilder(1).setSignal(abort.signal).build()),
    );
    await until(() => started === 1, 'the handler runs');
    abort.abort('changed my mind');
    await expect(failed).rejects.toMatchObject({ code: 'CALL_ABORTED', cause: 'changed my mind' });
    await until(() => aborted.length === 1, 'the signal aborted on the server');
  });

  it('of another make cancels its call too', async () => {
    const { client } = await serveAndConnect([Cancellable]);
    const inner = new AbortController();
    // By no class of Node's, as of a polyfill.
    const signal = {
      aborted: false,
      reason: 'gone',
      addEventListener: (_type: string, listener: () => void) =>
        inner.signal.addEventListener('abort', listener),
      removeEventListener: (_type: string, listener: () => void) =>
        inner.signal.removeEventListener('abort', listener),
    };
    const record = new UdsRecordBuilder(1).setSignal(signal as unknown as AbortSignal).build();
    const failed = lastValueFrom(client.send('promise', record));
    await until(() => started === 1, 'the handler runs');
    inner.abort();
    await expect(failed).rejects.toMatchObject({ code: 'CALL_ABORTED', cause: 'gone' });
    await until(() => aborted.length === 1, 'the signal aborted on the server');
  });

  it('that its own payload aborts as it is written cancels its call', async () => {
    const { client } = await serveAndConnect([Cancellable]);
    const abort = new AbortController();
    const payload = {
      toJSON(): string {
        abort.abort('mine');
        return 'text';
      },
    };
    const record = new UdsRecordBuilder(payload).setSignal(abort.signal).build();
    await expect(lastValueFrom(client.send('promise', record))).rejects.toMatchObject({
      code: 'CALL_ABORTED',
      cause: 'mine',
    });
  });

  it('that has aborted already keeps the call from being sent', async () => {
    const { client } = await serveAndConnect([Cancellable]);
    const record = new UdsRecordBuilder(1).setSignal(AbortSignal.abort('never')).build();
    await expect(lastValueFrom(client.send('promise', record))).rejects.toMatchObject({
      code: 'CALL_ABORTED',
      cause: 'never',
    });
    await expect(client.stream('generator', record).next()).rejects.toMatchObject({ code: 'CALL_ABORTED' });
    await expect(lastValueFrom(client.emit('promise', record))).rejects.toMatchObject({
      code: 'CALL_ABORTED',
    });
    expect(await lastValueFrom(client.send('ping', 1))).toBe('pong');
    expect(started).toBe(0);
  });

  it('ends a stream that is being read', async () => {
    const { client } = await serveAndConnect([Cancellable]);
    const abort = new AbortController();
    const record = new UdsRecordBuilder(1).setSignal(abort.signal).build();
    let values = 0;
    const reading = (async () => {
      for await (const value of client.stream('generator', record)) {
        values += Number(value) > 0 ? 1 : 0;
        if (values === 3) abort.abort();
      }
    })();
    await expect(reading).rejects.toMatchObject({ code: 'CALL_ABORTED' });
    await until(() => finallyRan === 1, 'finally ran');
  });

  it('is let go of when its call is over', async () => {
    const { client } = await serveAndConnect([Cancellable]);
    const { signal } = new AbortController();
    const record = new UdsRecordBuilder(1).setSignal(signal).build();
    expect(await lastValueFrom(client.send('ping', record))).toBe('pong');
    client.send('promise', record).subscribe().unsubscribe();
    await lastValueFrom(client.emit('nobody', record));
    for await (const value of client.stream('generator', record)) if (value === 2) break;
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });
});
