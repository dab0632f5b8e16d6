import { beforeEach, describe, expect, it } from '@jest/globals';
import { lastValueFrom } from 'rxjs';
import type { UdsClient } from '../../src/index.js';
import { type Source, sources } from '../support/cancel-sources.js';
import { Endless, Seen, seenAnew, type Target, targets } from '../support/cancel-targets.js';
import { clientOf } from '../support/nest.js';
import { serveTapped } from '../support/tapped.js';
import { turns, until } from '../support/wait.js';
import { TYPE } from '../support/wire-tap.js';

let seen = new Seen();

beforeEach(() => {
  seen = seenAnew();
});

const ping = (client: UdsClient): Promise<unknown> => lastValueFrom(client.send('ping', 1));

/** Lets all go on that a cancel must have ended for good, with time for what would be wrong. */
async function openGates(): Promise<void> {
  seen.gate.open();
  await turns();
}

const cancels = sources.flatMap((source) =>
  targets
    .filter(({ givesValues }) => givesValues || !source.needsValues)
    .map((target): [string, string, Source, Target] => [source.name, target.name, source, target]),
);

describe('a caller that leaves', () => {
  it.each(cancels)('by %s sends one CANCEL and ends %s, once', async (_how, _what, source, target) => {
    const { tap, client, log } = await serveTapped([Endless]);
    const other = lastValueFrom(client.send('other', 1));
    const { leave, heard } = source.open(client, target.pattern);
    await until(() => seen.started === 1, 'it is at work');
    leave();
    const id = await tap.callId(target.pattern);
    await tap.sent.frame(TYPE.CANCEL, id);
    // Answered, so the CANCEL before it was read.
    expect(await ping(client)).toBe('pong');
    const framesBefore = target.givesValues ? tap.answersTo(id).length : 0;
    await until(
      () => seen.ends.length === target.ends.length && heard.length === source.hears.length,
      'all ended',
    );

    await openGates();
    expect(await ping(client)).toBe('pong');
    expect(tap.answersTo(id)).toHaveLength(framesBefore);
    seen.others.open();
    expect(await other).toBe('done');
    expect(seen).toMatchObject({ started: 1, behind: 0, ends: target.ends, reasons: ['CALL_ABORTED'] });
    expect(seen.pulls - seen.pullsAtAbort).toBeLessThanOrEqual(1);
    expect(heard).toEqual(source.hears);
    expect(tap.sent.of(TYPE.CANCEL).map((frame) => frame.id)).toEqual([id]);
    expect(log.troubles).toEqual([]);
  });
});

describe('a client that is closed', () => {
  it.each(targets.map((target): [string, Target] => [target.name, target]))(
    'sends no CANCEL when closeTimeoutMs is over, and ends %s, once',
    async (_what, target) => {
      const { path, tap, client, log } = await serveTapped([Endless], { closeTimeoutMs: 40 });
      const bystander = clientOf(path);
      const other = lastValueFrom(bystander.send('other', 1));
      const ended = lastValueFrom(client.send(target.pattern, 'x')).catch((error: unknown) => error);
      await until(() => seen.started === 1, 'it is at work');
      const closed = client.close();
      await tap.sent.frame(TYPE.GOAWAY);
      await closed;
      expect(await ended).toMatchObject({ code: 'CLIENT_CLOSED' });
      await until(() => seen.reasons.length === 1 && seen.ends.length === target.ends.length, 'it ended');

      await openGates();
      seen.others.open();
      expect(await other).toBe('done');
      expect(seen).toMatchObject({ started: 1, behind: 0, ends: target.ends, reasons: ['CONNECTION_LOST'] });
      expect(seen.pulls - seen.pullsAtAbort).toBeLessThanOrEqual(1);
      expect(tap.sent.of(TYPE.CANCEL)).toEqual([]);
      expect(log.troubles).toEqual([]);
    },
  );
});
