import { beforeEach, describe, expect, it } from '@jest/globals';
import type { ClientTCP } from '@nestjs/microservices';
import { firstValueFrom, lastValueFrom } from 'rxjs';
import { nestClientOf, type Seen, seenAnew, Shop } from './nest-app.js';
import { serve } from '../support/nest.js';
import { until } from '../support/wait.js';
import { show, trace } from '../transport/parity/trace.js';

let seen: Seen;

beforeEach(() => {
  seen = seenAnew();
});

const KIB = 1024;

/** Sends all at once; gives how many had the answer that is theirs. */
async function rightAnswers(client: ClientTCP, payloads: readonly string[]): Promise<number> {
  const answers = await Promise.all(
    payloads.map((payload) => lastValueFrom(client.send<string>('echo', payload))),
  );
  return answers.filter((answer, index) => answer === payloads[index]).length;
}

const payloadsOf = (count: number, length: number): string[] =>
  Array.from({ length: count }, (_, index) => String.fromCodePoint(0x100 + index).repeat(length / 2));

describe('ClientTCP has all its answers', () => {
  it.each([
    ['32 of 16 KiB', 32, 16 * KIB],
    ['2 of 1 MiB', 2, KIB * KIB],
    ['200 of 64 KiB', 200, 64 * KIB],
  ])('to %s at once, where either end alone has room for less', async (_says, count, length) => {
    const { path, log } = await serve([Shop]);
    expect(await rightAnswers(nestClientOf(path), payloadsOf(count, length))).toBe(count);
    expect(log.troubles).toEqual([]);
  });

  it('to 5,000 calls at once, of which maxInFlight run at a time and one read more', async () => {
    const { path, log } = await serve([Shop], { maxInFlight: 64 });
    const client = nestClientOf(path);
    const payloads = Array.from({ length: 5_000 }, (_, index) => `call ${index}`);
    expect(await rightAnswers(client, payloads)).toBe(5_000);
    expect(log.troubles).toEqual([]);
  });

  it('to calls that waited behind a full server', async () => {
    const { path, log } = await serve([Shop], { maxInFlight: 16 });
    const client = nestClientOf(path);
    const filler = 'x'.repeat(32 * KIB);
    const calls = Array.from({ length: 200 }, (_, index) =>
      firstValueFrom(client.send<string>('held', `${index} ${filler}`)),
    );
    await until(() => seen.held >= 16, 'as many run as may');
    // So often a server that read on would have read.
    const other = nestClientOf(path);
    for (let turn = 0; turn < 100; turn += 1) await lastValueFrom(other.send('echo', turn));
    // What has not been read does not run: all 200 make some 6 MiB, far more than one read.
    expect(seen.held).toBeLessThan(100);
    seen.gate.open();
    const answers = await Promise.all(calls);
    expect(answers.map((answer) => parseInt(answer, 10))).toEqual(answers.map((_, index) => index));
    expect(log.troubles).toEqual([]);
  });
});

describe('ClientTCP has all its events run', () => {
  it('5,000 at once, in their order, where maxEvents is 32', async () => {
    const { path, log } = await serve([Shop], { maxEvents: 32 });
    const client = nestClientOf(path);
    const lines = Array.from({ length: 5_000 }, (_, index) => index);
    for (const line of lines) client.emit('noted', line);
    await until(() => seen.events.length === lines.length, 'all events ran');
    expect(seen.events).toEqual(lines);
    expect(log.troubles).toEqual([]);
  });
});

describe('a ClientTCP in the middle of a call', () => {
  it('is told where it closes itself, and the server goes on', async () => {
    const { path, log } = await serve([Shop]);
    const client = nestClientOf(path);
    const seenByCaller = trace(client.send('held', 1));
    await until(() => seen.held === 1, 'the call runs');
    client.close();
    expect(await seenByCaller).toEqual({ values: [], end: { error: 'Error: Connection closed' } });
    seen.gate.open();
    expect(await lastValueFrom(nestClientOf(path).send('echo', 'next'))).toBe('next');
    expect(log.troubles).toEqual([]);
  });

  it('connects again by itself after it has closed', async () => {
    const { path } = await serve([Shop]);
    const client = nestClientOf(path);
    expect(await lastValueFrom(client.send('echo', 1))).toBe(1);
    client.close();
    expect(await lastValueFrom(client.send('echo', 2))).toBe(2);
  });

  it('has its answer from a server that closes meanwhile', async () => {
    const { path, app } = await serve([Shop], { closeTimeoutMs: 10_000 });
    const client = nestClientOf(path);
    const answer = lastValueFrom(client.send('held', 'still there'));
    await until(() => seen.held === 1, 'the call runs');
    const closing = app.close();
    seen.gate.open();
    expect(await answer).toBe('still there');
    await closing;
  });

  it('fails where the server cuts it, after closeTimeoutMs', async () => {
    const { path, app } = await serve([Shop], { closeTimeoutMs: 50 });
    const client = nestClientOf(path);
    const seenByCaller = lastValueFrom(client.send('held', 1)).catch(show);
    await until(() => seen.held === 1, 'the call runs');
    await app.close();
    expect(await seenByCaller).toBe('Error: Connection closed');
    seen.gate.open();
  });
});
