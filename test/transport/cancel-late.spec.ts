import { beforeEach, describe, expect, it } from '@jest/globals';
import { Catch, Controller, type ExceptionFilter, UseFilters } from '@nestjs/common';
import { Ctx, type Deserializer, MessagePattern } from '@nestjs/microservices';
import { from, lastValueFrom, type Observable, switchMap, throwError } from 'rxjs';
import { UdsContext, type UdsClient } from '../../src/index.js';
import { Endless, Seen, seenAnew } from '../support/cancel-targets.js';
import { serveTapped } from '../support/tapped.js';
import { turns, until } from '../support/wait.js';
import { TYPE } from '../support/wire-tap.js';

let seen = new Seen();

beforeEach(() => {
  seen = seenAnew();
});

/** So that Nest doesn't log what a test throws on purpose. */
@Catch()
class PassOn implements ExceptionFilter {
  catch(error: unknown): Observable<never> {
    return throwError(() => error);
  }
}

@Controller()
class Rejects {
  @MessagePattern('rejects-late')
  @UseFilters(PassOn)
  rejectsLate(@Ctx() { signal }: UdsContext): Promise<never> {
    seen.started += 1;
    return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  }
}

const ping = (client: UdsClient): Promise<unknown> => lastValueFrom(client.send('ping', 1));

describe('what a caller that left no longer hears', () => {
  it('an error that the handler makes of the abort', async () => {
    const { tap, client, log } = await serveTapped([Endless, Rejects]);
    const subscription = client.send('rejects-late', 1).subscribe();
    await until(() => seen.started === 1, 'it is at work');
    subscription.unsubscribe();
    expect(await ping(client)).toBe('pong');
    await turns();
    expect(await ping(client)).toBe('pong');
    expect(tap.answersTo(1)).toEqual([]);
    expect(log.troubles).toEqual([]);
  });

  it.each(['guarded-generator', 'guarded-promise'])(
    'what a guard let through too late: %s',
    async (pattern) => {
      const { tap, client } = await serveTapped([Endless, Rejects]);
      const subscription = client.send(pattern, 'x').subscribe();
      await until(() => seen.started === 1, 'the guard waits');
      subscription.unsubscribe();
      expect(await ping(client)).toBe('pong');
      seen.gate.open();
      if (pattern === 'guarded-promise') await until(() => seen.ends.length === 1, 'Nest ran it');
      await turns();
      expect(await ping(client)).toBe('pong');
      expect(seen).toMatchObject({ behind: 0, ends: pattern === 'guarded-promise' ? ['told'] : [] });
      expect(tap.answersTo(1)).toEqual([]);
    },
  );

  it('values that are already on their way: no credit is sent for them either', async () => {
    const { tap, client } = await serveTapped([Endless], { streamCreditBytes: 1024 });
    tap.received.hold();
    let heard = 0;
    const subscription = client.send('generator', 'x').subscribe(() => (heard += 1));
    await until(() => tap.answersTo(1).length > 80, 'values are on their way');
    subscription.unsubscribe();
    tap.received.release();
    expect(await ping(client)).toBe('pong');
    expect(heard).toBe(0);
    const sent = tap.sent.frames.filter(({ id }) => id === 1).map(({ type }) => type);
    expect(sent).toEqual([TYPE.REQUEST, TYPE.CANCEL]);
  });
});

it('a call that another takes the place of is cancelled, and the last one is answered', async () => {
  const { tap, client } = await serveTapped([Endless, Rejects]);
  const patterns = ['observable', 'promise', 'guarded', 'ping'];
  expect(await lastValueFrom(from(patterns).pipe(switchMap((each) => client.send(each, 'silent'))))).toBe(
    'pong',
  );
  expect(tap.sent.of(TYPE.CANCEL).map(({ id }) => id)).toEqual([1, 2, 3]);
});

it('a value that the client can not read ends its stream on the server too', async () => {
  const deserializer: Deserializer<unknown, never> = {
    deserialize: () => {
      throw new Error('mine');
    },
  };
  const { tap, client } = await serveTapped([Endless], { deserializer });
  await expect(lastValueFrom(client.send('generator', 'x'))).rejects.toThrow('mine');
  await until(() => seen.ends.length === 1, 'the generator ended');
  expect(tap.calls).toEqual([
    [TYPE.REQUEST, 1],
    [TYPE.CANCEL, 1],
  ]);
});
