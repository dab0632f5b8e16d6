import { beforeEach, describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { Ctx, MessagePattern, Payload } from '@nestjs/microservices';
import { existsSync } from 'node:fs';
import type { Socket } from 'node:net';
import { setImmediate as nextImmediate } from 'node:timers/promises';
import { firstValueFrom } from 'rxjs';
import { type UdsError, UdsContext } from '../../src/index.js';
import { nestClientOf } from '../interop/nest-app.js';
import { clientOf, serve, type Served } from '../support/nest.js';
import { rawCall, rawFrame, rawHello } from '../support/raw-frames.js';
import { RawPeer } from '../support/raw-peer.js';
import { type Json, packetOf, TextPeer } from '../support/text-peer.js';
import { Gate, heldBack, turns, until } from '../support/wait.js';
import { TYPE, WireTap } from '../support/wire-tap.js';

/** For those who are served to their end: what takes that long has failed. */
const PATIENT = { closeTimeoutMs: 15_000 };

let gate = new Gate();
let running = 0;
let aborted: UdsError[] = [];

beforeEach(() => {
  gate = new Gate();
  running = 0;
  aborted = [];
});

interface Numbered {
  readonly n: number;
}

@Controller()
class Work {
  @MessagePattern('echo')
  echo(@Payload() data: unknown): unknown {
    return data;
  }

  @MessagePattern('gated')
  async gated(@Payload() { n }: Numbered): Promise<number> {
    running += 1;
    await gate.opened;
    return n;
  }

  @MessagePattern('endless')
  async endless(@Payload() _data: unknown, @Ctx() { signal }: UdsContext): Promise<never> {
    signal.addEventListener('abort', () => aborted.push(signal.reason as UdsError));
    running += 1;
    return await new Promise<never>(() => {});
  }
}

/** As a handler does that computes without a pause. */
function spin(forMs: number): void {
  for (const endsAtMs = performance.now() + forMs; performance.now() < endsAtMs;);
}

/** Begins to close; resolves once the server accepts nobody any more. */
async function closeAndStopAccepting({ app, server }: Served): Promise<{ closed: Promise<void> }> {
  const netServer = server.unwrap();
  const closed = app.close();
  await until(() => !netServer.listening, 'it accepts nobody any more');
  return { closed };
}

/** Past everything that a server does at once. */
const MANY_TURNS = 50;

describe('a connection that has said nothing when its server closes', () => {
  it('is served where its hello was on the way, and told to leave', async () => {
    const served = await serve([Work], { ...PATIENT, silentDrainMs: 10_000 });
    const peer = await RawPeer.to(served.path);
    const { closed } = await closeAndStopAccepting(served);
    await turns(MANY_TURNS);
    peer.send(rawHello(), rawCall({ id: 1, pattern: 'echo', payload: 'late' }));
    expect((await peer.frame(TYPE.RESPONSE, 1)).body.toString()).toBe('late');
    await peer.frame(TYPE.GOAWAY);
    peer.send(rawFrame({ type: TYPE.GOAWAY }));
    await closed;
    await peer.closed();
    expect(served.log.troubles).toEqual([]);
  });

  it('is ended after silentDrainMs, and not before', async () => {
    const silentDrainMs = 700;
    const served = await serve([Work], { ...PATIENT, silentDrainMs });
    const peer = await RawPeer.to(served.path);
    const beganAtMs = performance.now();
    await served.app.close();
    const tookMs = performance.now() - beganAtMs;
    expect(tookMs).toBeGreaterThan(silentDrainMs - 10);
    expect(tookMs).toBeLessThan(PATIENT.closeTimeoutMs / 2);
    await peer.closed();
    expect(served.log.troubles).toEqual([]);
  });

  it('is served where its hello lies in the socket as a stall of the server ends', async () => {
    const silentDrainMs = 300;
    const served = await serve([Work], { ...PATIENT, silentDrainMs });
    const peer = await RawPeer.to(served.path);
    const { closed } = await closeAndStopAccepting(served);
    // Behind the sockets' turn: the timers have theirs before it comes again.
    await nextImmediate();
    peer.send(rawHello(), rawCall({ id: 1, pattern: 'echo', payload: 'late' }));
    spin(silentDrainMs + 50);
    expect((await peer.frame(TYPE.RESPONSE, 1)).body.toString()).toBe('late');
    peer.send(rawFrame({ type: TYPE.GOAWAY }));
    await closed;
  });
});

/** Whoever connects in one go stands in the queue: a server accepts one of them each time that it looks. */
describe('clients that stand in the queue as their server closes', () => {
  const COUNT = 100;
  const numbers = Array.from({ length: COUNT }, (_, n) => n);

  it('are served, and told to leave', async () => {
    const served = await serve([Work], PATIENT);
    const connecting = numbers.map(() => RawPeer.to(served.path));
    const closed = served.app.close();
    const peers = await Promise.all(connecting);
    for (const peer of peers) peer.send(rawHello(), rawCall({ id: 1, pattern: 'echo', payload: 'x' }));
    const answers = peers.map(async (peer) => {
      const { body } = await peer.frame(TYPE.RESPONSE, 1);
      await peer.frame(TYPE.GOAWAY);
      peer.send(rawFrame({ type: TYPE.GOAWAY }));
      return body.toString();
    });
    expect(await Promise.all(answers)).toEqual(numbers.map(() => 'x'));
    await closed;
  });

  it.each<[string, (n: number) => string]>([
    ['ndjson', (n) => `${JSON.stringify({ id: n, pattern: 'echo', data: n })}\n`],
    ['nest-json', (n) => packetOf({ id: String(n), pattern: 'echo', data: n })],
  ])('are served in %s, which can tell nobody to leave', async (_dialect, write) => {
    const served = await serve([Work], PATIENT);
    const connecting = numbers.map(() => TextPeer.to(served.path));
    const closed = served.app.close();
    const peers = await Promise.all(connecting);
    for (const [n, peer] of peers.entries()) peer.send(write(n));
    await closed;
    for (const peer of peers) await peer.closed();
    expect(peers.map(({ text }) => text.includes('"response":'))).toEqual(numbers.map(() => true));
  });
});

/** Each so long that one read brings no more than 17 of them. */
const PAD = 'x'.repeat(4000);
const LIMIT = 16;
const COUNT = 40;
const numbers = Array.from({ length: COUNT }, (_, n) => n);

describe('what a peer that can not be told has sent before its server closes', () => {
  it.each<[string, (n: number) => string, (peer: TextPeer) => Json[]]>([
    [
      'ndjson',
      (n) => `${JSON.stringify({ id: n, pattern: 'gated', data: { n, PAD } })}\n`,
      ({ lines }) => lines,
    ],
    [
      'nest-json',
      (n) => packetOf({ id: String(n), pattern: 'gated', data: { n, PAD } }),
      ({ packets }) => packets,
    ],
  ])('is answered in %s, also what it was held back with', async (_dialect, write, read) => {
    const served = await serve([Work], { ...PATIENT, maxInFlight: LIMIT });
    const { peer, socket } = await TextPeer.accepted(served);
    peer.send(...numbers.map(write));
    await heldBack(socket);
    const { closed } = await closeAndStopAccepting(served);
    expect(running).toBeLessThan(COUNT);
    gate.open();
    await closed;
    await peer.closed();
    expect(read(peer).map(({ response }) => response)).toEqual(numbers);
    expect(served.log.troubles).toEqual([]);
  });

  it("is answered to Nest's own client, also what it was held back with", async () => {
    const served = await serve([Work], { ...PATIENT, maxInFlight: LIMIT });
    const accepted = new Promise<Socket>((resolve) => served.server.on('connection', resolve));
    const client = nestClientOf(served.path);
    await client.connect();
    const answers = numbers.map((n) => firstValueFrom(client.send<number>('gated', { n, PAD })));
    const socket = await accepted;
    await heldBack(socket);
    const { closed } = await closeAndStopAccepting(served);
    expect(running).toBeLessThan(COUNT);
    gate.open();
    expect(await Promise.all(answers)).toEqual(numbers);
    await closed;
    await until(() => socket.destroyed, 'its connection ended');
  });

  it('is answered where it was read no further since it did not read itself', async () => {
    const data = 'x'.repeat(32 * 1024);
    const served = await serve([Work], { ...PATIENT, maxBufferedBytes: 65_536 });
    const { peer, socket } = await TextPeer.accepted(served);
    peer.socket.pause();
    peer.sendLines(...numbers.map((id) => ({ id, pattern: 'echo', data })));
    await heldBack(socket);
    const { closed } = await closeAndStopAccepting(served);
    peer.socket.resume();
    await closed;
    await peer.closed();
    expect(peer.lines.map(({ id }) => id)).toEqual(numbers);
  });

  it('is all there was, where it takes its time to read the answer: its connection ends then', async () => {
    const served = await serve([Work], { ...PATIENT, maxBufferedBytes: 65_536 });
    const { peer, socket } = await TextPeer.accepted(served);
    peer.socket.pause();
    const data = 'x'.repeat(1024 ** 2);
    peer.sendLines({ id: 1, pattern: 'echo', data });
    await heldBack(socket);
    const { closed } = await closeAndStopAccepting(served);
    peer.socket.resume();
    await closed;
    await peer.closed();
    expect(peer.lines).toEqual([{ id: 1, response: data }]);
    expect(served.log.troubles).toEqual([]);
  });
});

describe('what is not done closeTimeoutMs after its server began to close', () => {
  it('is cut, said in one line with counts, and its callers are told whether it may have run', async () => {
    const served = await serve([Work], { closeTimeoutMs: 400 });
    const tap = await WireTap.before(served.path);
    const [far, near] = [clientOf(tap.path), clientOf(served.path)];
    await Promise.all([far.connect(), near.connect()]);
    const caught = (error: unknown): unknown => error;
    const ran = [far, near, near].map((client) => firstValueFrom(client.send('endless', 1)).catch(caught));
    await until(() => running === 3, 'all run');
    tap.sent.hold();
    const neverTaken = firstValueFrom(far.send('endless', 1)).catch(caught);

    await served.app.close();
    expect(served.log.troubles).toEqual([
      expect.stringMatching(
        /^SERVER_CLOSING: 2 connections with 3 calls were cut: .* 400 ms .* \(option closeTimeoutMs\)\.$/,
      ),
    ]);
    expect(await Promise.all(ran)).toEqual(
      ran.map(() => expect.objectContaining({ code: 'CONNECTION_LOST', retrySafe: false })),
    );
    expect(await neverTaken).toMatchObject({ code: 'SERVER_CLOSING', retrySafe: true });
    expect(aborted.map(({ code }) => code)).toEqual(ran.map(() => 'SERVER_CLOSING'));
  });

  it('does not keep the server open where it comes as late as that', async () => {
    const closeTimeoutMs = 200;
    const served = await serve([Work], { closeTimeoutMs });
    const connecting = RawPeer.to(served.path);
    // The server's limit is over before it has looked who came.
    await nextImmediate();
    const closed = served.app.close().then(() => 'closed');
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
    const another = RawPeer.to(served.path);
    spin(closeTimeoutMs + 50);
    const peers = await Promise.all([connecting, another]);
    expect(await closed).toBe('closed');
    for (const peer of peers) await peer.closed();
    expect(existsSync(served.path)).toBe(false);
  });
});
