import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { lastValueFrom } from 'rxjs';
import { Endless, Seen, seenAnew, targets } from '../support/cancel-targets.js';
import { type Child, startNode } from '../support/child.js';
import { clientOf, serve } from '../support/nest.js';
import { turns, until } from '../support/wait.js';
import { TYPE, WireTap } from '../support/wire-tap.js';

// A process that loads Nest, on a machine that may be busy.
jest.setTimeout(60_000);

let seen = new Seen();

beforeEach(() => {
  seen = seenAnew();
});

/** A process that calls, and then lives until it is killed. */
function startCaller(path: string, calls: string): Child {
  const script = `
    import { UdsClient } from 'nest-uds';
    const client = new UdsClient({ path: process.argv[1] });
    await client.connect();
    ${calls}`;
  return startNode(['--input-type=module', '--eval', script, path]);
}

const subscribeTo = (patterns: readonly string[]): string =>
  `for (const pattern of ${JSON.stringify(patterns)}) client.send(pattern, 'x').subscribe();`;

const readAll = (patterns: readonly string[]): string => `
  for (const pattern of ${JSON.stringify(patterns)}) (async () => {
    for await (const value of client.stream(pattern, 'x')) if (value < 0) break;
  })();`;

describe('a client process that is killed', () => {
  it.each([
    ['subscribes', subscribeTo],
    ['reads by stream()', readAll],
  ])('has all that runs for it ended, once, without a CANCEL, where it %s', async (_how, call) => {
    const { path, log } = await serve([Endless]);
    const bystander = clientOf(path);
    const other = lastValueFrom(bystander.send('other', 1));
    const tap = await WireTap.before(path);
    const child = startCaller(tap.path, call(targets.map(({ pattern }) => pattern)));
    await until(() => seen.started === targets.length, 'all are at work');
    child.signal('SIGKILL');

    expect(await child.exit()).toBe('SIGKILL');
    const ends = targets.flatMap((target) => target.ends).sort();
    await until(
      () => seen.reasons.length === targets.length && seen.ends.length === ends.length,
      'all ended',
    );
    seen.gate.open();
    await turns();
    seen.others.open();
    expect(await other).toBe('done');
    expect([...seen.ends].sort()).toEqual(ends);
    expect(seen).toMatchObject({
      started: targets.length,
      behind: 0,
      reasons: targets.map(() => 'CONNECTION_LOST'),
    });
    expect(tap.sent.of(TYPE.REQUEST)).toHaveLength(targets.length);
    expect(tap.sent.of(TYPE.CANCEL)).toEqual([]);
    expect(log.troubles).toEqual([]);
  });

  it('has the events that it sent run to their end', async () => {
    const { path } = await serve([Endless]);
    const tap = await WireTap.before(path);
    const child = startCaller(
      tap.path,
      `for (let event = 0; event < 10; event += 1) client.emit('event', 1);
       ${subscribeTo(['promise'])}`,
    );
    await until(() => seen.started === 1, 'its call runs');
    child.signal('SIGKILL');
    await until(() => seen.reasons.length === 1, 'the server noticed');
    expect(seen.eventsEnded).toBe(0);
    seen.others.open();
    await until(() => seen.eventsEnded === 10, 'all ran to their end');
  });
});
