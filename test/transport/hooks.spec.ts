import { beforeEach, describe, expect, it } from '@jest/globals';
import { type CanActivate, Controller, UseGuards } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { firstValueFrom, lastValueFrom, NEVER, Observable, of, throwError, toArray } from 'rxjs';
import { UDS_TRANSPORT, UdsContext, UdsRecordBuilder, type UdsClient } from '../../src/index.js';
import { type Served, serveAndConnect } from '../support/nest.js';
import { Gate, turns, until } from '../support/wait.js';

let guard = new Gate();
let guarded = 0;
let starts: unknown[] = [];
let ends: unknown[] = [];
let onStart: (done: () => Promise<unknown>) => unknown = (done) => done();
let onEnd: () => void = () => undefined;

beforeEach(() => {
  guard = new Gate();
  guarded = 0;
  starts = [];
  ends = [];
  onStart = (done) => done();
  onEnd = () => undefined;
});

class Waits implements CanActivate {
  async canActivate(): Promise<boolean> {
    guarded += 1;
    await guard.opened;
    return true;
  }
}

let subscribed = 0;

@Controller()
class Hooked {
  @MessagePattern('value')
  value(): string {
    return 'value';
  }

  @MessagePattern('throws')
  throws(): never {
    throw new Error('broken');
  }

  @MessagePattern('observable')
  observable(): Observable<number> {
    return of(1, 2, 3);
  }

  @MessagePattern('observable-fails')
  observableFails(): Observable<number> {
    return throwError(() => new Error('broken'));
  }

  @MessagePattern('generator')
  async *generator(): AsyncGenerator<number> {
    yield* [1, 2, 3];
  }

  @MessagePattern('generator-fails')
  async *generatorFails(): AsyncGenerator<number> {
    yield 1;
    throw new Error('broken');
  }

  @MessagePattern('unserializable')
  unserializable(): bigint {
    return 1n;
  }

  @MessagePattern('never')
  never(): Observable<never> {
    return NEVER;
  }

  @MessagePattern('counted')
  counted(): Observable<number> {
    return new Observable((observer) => {
      subscribed += 1;
      observer.next(1);
    });
  }

  @MessagePattern('guarded')
  @UseGuards(Waits)
  guarded(): Observable<number> {
    return of(1);
  }

  @EventPattern('noted')
  noted(@Payload() _data: unknown): void {}

  @EventPattern('noted-stream')
  notedStream(@Payload() _data: unknown): Observable<number> {
    return of(1, 2);
  }

  @EventPattern('noted-fails')
  notedFails(@Payload() _data: unknown): void {
    throw new Error('broken');
  }
}

function serveHooked(): Promise<Served & { client: UdsClient }> {
  return serveAndConnect([Hooked], {
    prepare: (_app, server) => {
      server.setOnProcessingStartHook((transport, context, done) => {
        starts.push(transport, context instanceof UdsContext);
        return onStart(done);
      });
      server.setOnProcessingEndHook((transport, context) => {
        ends.push(transport, context instanceof UdsContext);
        onEnd();
      });
    },
  });
}

const ONCE = [UDS_TRANSPORT, true];

describe('each start of the processing hooks has one end', () => {
  it.each([
    'value',
    'throws',
    'observable',
    'observable-fails',
    'generator',
    'generator-fails',
    'unserializable',
  ])('of a call that ends by itself: %s', async (pattern) => {
    const { client } = await serveHooked();
    await lastValueFrom(client.send(pattern, 1).pipe(toArray())).catch(() => undefined);
    await until(() => ends.length > 0, 'the end hook ran');
    await turns();
    expect({ starts, ends }).toEqual({ starts: ONCE, ends: ONCE });
  });

  it('of a call that is cancelled', async () => {
    const { client } = await serveHooked();
    const subscription = client.send('never', 1).subscribe();
    await until(() => starts.length > 0, 'the call runs');
    expect(ends).toEqual([]);
    subscription.unsubscribe();
    await until(() => ends.length > 0, 'the end hook ran');
    await turns();
    expect({ starts, ends }).toEqual({ starts: ONCE, ends: ONCE });
  });

  it('of a call whose time is up', async () => {
    const { client } = await serveHooked();
    const record = new UdsRecordBuilder(1).setTimeoutMs(40).build();
    await lastValueFrom(client.send('never', record)).catch(() => undefined);
    await until(() => ends.length > 0, 'the end hook ran');
    await turns();
    expect({ starts, ends }).toEqual({ starts: ONCE, ends: ONCE });
  });

  it('of a call that is cancelled while a guard still waits', async () => {
    const { client } = await serveHooked();
    const subscription = client.send('guarded', 1).subscribe();
    await until(() => guarded === 1, 'the guard waits');
    subscription.unsubscribe();
    await until(() => ends.length > 0, 'the end hook ran');
    guard.open();
    await turns();
    expect({ starts, ends }).toEqual({ starts: ONCE, ends: ONCE });
  });

  it.each(['value', 'counted', 'generator'])(
    'of a call that is cancelled before the start hook has let it run: %s',
    async (pattern) => {
      const hook = new Gate();
      onStart = (done) => hook.opened.then(done);
      subscribed = 0;
      const { client } = await serveHooked();
      const subscription = client.send(pattern, 1).subscribe();
      await until(() => starts.length > 0, 'the start hook waits');
      subscription.unsubscribe();
      client.emit('noted', 1);
      await until(() => starts.length === 4, 'the cancel was read');
      hook.open();
      await until(() => ends.length === 4, 'both end hooks ran');
      await turns();
      expect({ starts, ends, subscribed }).toEqual({
        starts: [...ONCE, ...ONCE],
        ends: [...ONCE, ...ONCE],
        subscribed: 0,
      });
    },
  );

  it('of a call whose client has gone', async () => {
    const { client } = await serveHooked();
    client.send('never', 1).subscribe({ error: () => undefined });
    await until(() => starts.length > 0, 'the call runs');
    client.unwrap<{ destroy(): void }>().destroy();
    await until(() => ends.length > 0, 'the end hook ran');
    await turns();
    expect({ starts, ends }).toEqual({ starts: ONCE, ends: ONCE });
  });

  it.each(['noted', 'noted-stream', 'noted-fails'])('of an event: %s', async (pattern) => {
    const { client } = await serveHooked();
    await lastValueFrom(client.emit(pattern, 1));
    await until(() => ends.length > 0, 'the end hook ran');
    await turns();
    expect({ starts, ends }).toEqual({ starts: ONCE, ends: ONCE });
  });
});

describe('a hook that throws', () => {
  it('at the start ends its own call alone', async () => {
    const { client, log } = await serveHooked();
    onStart = () => {
      throw new Error('broken hook');
    };
    await expect(firstValueFrom(client.send('value', 1))).rejects.toMatchObject({ code: 'HANDLER_FAILED' });
    await lastValueFrom(client.emit('noted', 1));
    onStart = (done) => done();
    expect(await firstValueFrom(client.send('value', 1))).toBe('value');
    expect(log.troubles).toContain('broken hook');
  });

  it.each(['value', 'observable', 'generator', 'throws', 'never'])(
    'at the end is logged, and harms no call: %s',
    async (pattern) => {
      const { client, log } = await serveHooked();
      onEnd = () => {
        throw new Error('broken hook');
      };
      const subscription = client.send(pattern, 1).subscribe({ error: () => undefined });
      await until(() => starts.length > 0, 'the call runs');
      if (pattern === 'never') subscription.unsubscribe();
      await until(() => ends.length > 0, 'the end hook ran');
      await lastValueFrom(client.emit('noted', 1));
      await until(() => ends.length === 4, 'the end hook of the event ran');
      onEnd = () => undefined;
      expect(await firstValueFrom(client.send('value', 1))).toBe('value');
      expect(log.troubles.filter((line) => line === 'broken hook')).toHaveLength(2);
    },
  );
});
