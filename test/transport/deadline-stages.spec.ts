import { beforeEach, describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { Ctx, type Deserializer, MessagePattern } from '@nestjs/microservices';
import { lastValueFrom } from 'rxjs';
import { UdsContext, type UdsClient, UdsRecordBuilder, type UdsServer } from '../../src/index.js';
import { Endless, Seen, seenAnew, type Target, targets } from '../support/cancel-targets.js';
import { clientOf, serve, socketPath } from '../support/nest.js';
import { rawCall, rawFrame } from '../support/raw-frames.js';
import { RawPeer } from '../support/raw-peer.js';
import { RawServer, serverHello } from '../support/raw-server.js';
import { turns, until } from '../support/wait.js';
import { TYPE } from '../support/wire-tap.js';

/** Long enough for what must begin within it, also on a busy machine. */
const LIMIT_MS = 80;
const FLOOR = 16;

let seen = new Seen();

beforeEach(() => {
  seen = seenAnew();
});

const within = (timeoutMs: number): unknown => new UdsRecordBuilder('x').setTimeoutMs(timeoutMs).build();

const passes = (fromMs: number, ms: number): Promise<void> =>
  until(() => performance.now() - fromMs > ms, `${ms} ms have passed`);

const timeLeft = async (server: RawServer, id: number): Promise<number> =>
  (await server.frame(TYPE.REQUEST, id)).body.readUInt32BE(0);

/** Calls without a limit, as many as the server takes. */
function fill(client: UdsClient): void {
  for (let call = 0; call < FLOOR; call += 1)
    client.send('x', within(0)).subscribe({ error: () => undefined });
}

describe("in the client's queue", () => {
  it('time runs: a call that waited for room carries less than its limit', async () => {
    const server = await RawServer.listening(socketPath(), { maxInFlight: FLOOR });
    const client = clientOf(server.path, { closeTimeoutMs: 40 });
    await client.connect();
    fill(client);
    const calledMs = performance.now();
    client.send('late', within(60_000)).subscribe({ error: () => undefined });
    await passes(calledMs, 100);
    server.send(rawFrame({ type: TYPE.RESPONSE, id: 1 }));
    const leftMs = await timeLeft(server, FLOOR + 1);
    expect(leftMs).toBeLessThanOrEqual(60_000 - 99);
    expect(leftMs).toBeGreaterThan(60_000 - 10_000);
  });

  it('time runs: a call that waited for the connection carries less than its limit', async () => {
    const server = await RawServer.listening(socketPath(), { greet: false });
    const client = clientOf(server.path, { connectTimeoutMs: 10_000, closeTimeoutMs: 40 });
    const calledMs = performance.now();
    client.send('early', within(60_000)).subscribe({ error: () => undefined });
    await until(() => server.sockets.length === 1, 'it has come');
    await passes(calledMs, 100);
    server.send(serverHello());
    expect(await timeLeft(server, 1)).toBeLessThanOrEqual(60_000 - 99);
  });

  it.each([
    ['send', (client: UdsClient) => lastValueFrom(client.send('late', within(LIMIT_MS)))],
    ['stream', (client: UdsClient) => client.stream('late', within(LIMIT_MS)).next()],
  ])('time may be up: nothing is sent for it, not even when there is room again (%s)', async (_how, call) => {
    const server = await RawServer.listening(socketPath(), { maxInFlight: FLOOR });
    const client = clientOf(server.path, { closeTimeoutMs: 40 });
    await client.connect();
    fill(client);
    await expect(call(client)).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    server.send(rawFrame({ type: TYPE.RESPONSE, id: 1 }));
    client.send('next', within(0)).subscribe({ error: () => undefined });
    expect((await server.frame(TYPE.REQUEST, FLOOR + 1)).body.toString()).toContain('next');
    expect(server.frames.filter(({ type }) => type === TYPE.REQUEST)).toHaveLength(FLOOR + 1);
    expect(server.frames.filter(({ type }) => type === TYPE.CANCEL)).toEqual([]);
  });

  it.each(['send', 'stream', 'emit'])(
    'time may be up before there is a connection: %s fails, and nothing is sent',
    async (how) => {
      const server = await RawServer.listening(socketPath(), { greet: false });
      const client = clientOf(server.path, { connectTimeoutMs: 10_000, closeTimeoutMs: 40 });
      const record = within(LIMIT_MS);
      const failed = how === 'stream' ? client.stream('late', record).next() : undefined;
      const sent = how === 'emit' ? client.emit('late', record) : client.send('late', record);
      await expect(failed ?? lastValueFrom(sent)).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
      server.send(serverHello());
      await client.connect();
      client.send('next', within(0)).subscribe({ error: () => undefined });
      expect((await server.frame(TYPE.REQUEST, 1)).body.toString()).toContain('next');
      expect(server.frames.map(({ type }) => type)).toEqual([1, TYPE.REQUEST]);
    },
  );
});

/** Holds all calls back until the gate opens. */
const deserializer: Deserializer<unknown, never> = {
  deserialize: (packet) => seen.gate.opened.then(() => packet as never),
};

function holdAtStart(_app: unknown, server: UdsServer): void {
  server.setOnProcessingStartHook((_transport, _context, done) => void seen.gate.opened.then(done));
}

describe('before the handler', () => {
  it.each([
    ['a guard waits', 'guarded', 1, {}],
    ['a guard before a generator waits', 'guarded-generator', 1, {}],
    ['an interceptor waits', 'held-back', 1, {}],
    ['the deserializer takes its time', 'promise', 0, { deserializer }],
    ['a start hook waits', 'promise', 0, { prepare: holdAtStart }],
  ])('time may be up while %s: the handler never starts', async (_what, pattern, started, options) => {
    const { path } = await serve([Endless], options);
    const peer = await RawPeer.greeted(path);
    const sentMs = performance.now();
    peer.send(rawCall({ id: 1, pattern, payload: 'x', timeoutMs: LIMIT_MS, credit: 1e6 }));
    peer.send(rawFrame({ type: 11, id: 70 }));
    await peer.frame(TYPE.PONG, 70);
    await passes(sentMs, 2 * LIMIT_MS);
    peer.send(rawFrame({ type: 11, id: 71 }));
    await peer.frame(TYPE.PONG, 71);

    seen.gate.open();
    await turns();
    peer.send(rawCall({ id: 2, pattern: 'ping', payload: 'x' }));
    await peer.frame(TYPE.RESPONSE, 2);
    const reasons = started === 1 ? ['DEADLINE_EXCEEDED'] : [];
    expect(seen).toMatchObject({ started, behind: 0, ends: [], reasons });
    expect(peer.frames.filter(({ id }) => id === 1)).toEqual([]);
  });
});

describe('in the handler', () => {
  it.each(targets.map((target): [string, Target] => [target.name, target]))(
    'time may be up: the server ends %s by itself, once, and says nothing for the call',
    async (_what, target) => {
      const { path, log } = await serve([Endless]);
      const peer = await RawPeer.greeted(path);
      const { pattern, ends } = target;
      peer.send(rawCall({ id: 1, pattern, payload: 'silent', timeoutMs: LIMIT_MS, credit: 1e6 }));
      await until(() => seen.reasons.length > 0 && seen.ends.length === ends.length, 'it ended');
      seen.gate.open();
      await turns();
      peer.send(rawFrame({ type: 11, id: 70 }));
      await peer.frame(TYPE.PONG, 70);
      expect(seen).toMatchObject({ started: 1, behind: 0, ends, reasons: ['DEADLINE_EXCEEDED'] });
      expect(peer.frames.map(({ type }) => type)).toEqual([2, TYPE.PONG]);
      expect(log.troubles).toEqual([]);
    },
  );

  it.each(targets.filter(({ givesValues }) => givesValues).map(({ name, pattern }) => [name, pattern]))(
    'no limit holds once the first value has come in time: %s',
    async (_what, pattern) => {
      const { path } = await serve([Endless]);
      const peer = await RawPeer.greeted(path);
      const sentMs = performance.now();
      peer.send(rawCall({ id: 1, pattern, payload: 'x', timeoutMs: LIMIT_MS, credit: 100 }));
      await peer.frame(TYPE.NEXT, 1);
      await passes(sentMs, 2 * LIMIT_MS);
      peer.send(rawFrame({ type: 11, id: 70 }));
      await peer.frame(TYPE.PONG, 70);
      expect(seen).toMatchObject({ started: 1, ends: [], reasons: [] });
    },
  );
});

@Controller()
class Tells {
  @MessagePattern('deadline')
  deadline(@Ctx() { deadline }: UdsContext): [string, number] | string {
    return deadline === undefined ? 'none' : [deadline.constructor.name, deadline.getTime()];
  }
}

describe("the context's deadline", () => {
  it.each([
    ['the default', 'x', 30_000],
    ["the call's own", within(90_000), 90_000],
    ["the call's own where it is near", within(20_000), 20_000],
  ])('is a Date, as far off as the limit: %s', async (_which, data, limitMs) => {
    const { path } = await serve([Tells]);
    const client = clientOf(path);
    await client.connect();
    const beforeMs = Date.now();
    const [kind, atMs] = await lastValueFrom(client.send<[string, number]>('deadline', data));
    expect(kind).toBe('Date');
    // the two clocks may drift a little apart
    expect(atMs).toBeGreaterThan(beforeMs + limitMs - 1000);
    expect(atMs).toBeLessThan(Date.now() + limitMs + 1000);
  });

  it.each([
    ['the call', {}, within(0)],
    ['the client', { requestTimeoutMs: 0 }, 'x'],
  ])('is undefined where %s switches it off', async (_who, options, data) => {
    const { path } = await serve([Tells]);
    expect(await lastValueFrom(clientOf(path, options).send('deadline', data))).toBe('none');
  });
});
