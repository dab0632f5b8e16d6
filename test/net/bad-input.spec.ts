import { beforeEach, describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { Buffer } from 'node:buffer';
import type { Socket } from 'node:net';
import { lastValueFrom } from 'rxjs';
import type { UdsClient } from '../../src/index.js';
import { type Served, serveAndConnect } from '../support/nest.js';
import { rawCall, rawFrame, rawHello } from '../support/raw-frames.js';
import { RawPeer } from '../support/raw-peer.js';
import { Gate, until } from '../support/wait.js';

let gate = new Gate();
let running = 0;
let noted: unknown[] = [];

beforeEach(() => {
  gate = new Gate();
  running = 0;
  noted = [];
});

@Controller()
class Answers {
  @MessagePattern('echo')
  echo(@Payload() data: unknown): unknown {
    return data;
  }

  @MessagePattern('gated')
  async gated(): Promise<string> {
    running += 1;
    await gate.opened;
    return 'done';
  }

  @EventPattern('noted')
  async note(@Payload() data: unknown): Promise<void> {
    noted.push(data);
    await gate.opened;
  }
}

const MAX_FRAME_BYTES = 100_000;
const BAD_UTF8 = Uint8Array.from([0x22, 0xc3, 0x28, 0x22]);
const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};
/** A header that promises more than follows. */
const header = (length: number, type: number, flags = 0, id = 1): Buffer =>
  Buffer.concat([u32(length), u32(id), Buffer.from([type, flags])]);

/** A server with a client whose call is in flight, to see that it goes on whatever another peer does. */
async function served(): Promise<Served & { client: UdsClient; inFlight: Promise<unknown> }> {
  const all = await serveAndConnect([Answers], { maxFrameBytes: MAX_FRAME_BYTES, maxEvents: 16 });
  const inFlight = lastValueFrom(all.client.send('gated', 1));
  await until(() => running === 1, 'a call is in flight');
  return { ...all, inFlight };
}

async function othersGoOn({ path, client, inFlight }: Awaited<ReturnType<typeof served>>): Promise<void> {
  gate.open();
  expect(await inFlight).toBe('done');
  expect(await lastValueFrom(client.send('echo', 'still'))).toBe('still');
  const other = await RawPeer.greeted(path);
  other.send(rawCall({ id: 1, pattern: 'echo', payload: 'new' }));
  expect((await other.frame(5, 1)).body.toString()).toBe('new');
}

describe('a connection is ended, with one line of log, by', () => {
  it.each<[string, string, (Uint8Array | string)[]]>([
    ['a first byte of no dialect', 'UNKNOWN_DIALECT', ['GET / HTTP/1.1\r\n\r\n']],
    ['a first frame that is no hello', 'BAD_HELLO', [rawCall({ id: 1, pattern: 'echo', payload: 'x' })]],
    ['a hello with another magic', 'BAD_HELLO', [rawHello({ magic: 'NOPE' })]],
    ['a hello whose versions are the wrong way round', 'BAD_HELLO', [rawHello({ from: 2, to: 1 })]],
    ['a hello that takes too short frames', 'BAD_HELLO', [rawHello({ maxFrameBytes: 100 })]],
    ['a hello that is too long', 'BAD_HELLO', [header(1025, 1, 0, 0)]],
    ['a second hello', 'BAD_HELLO', [rawHello(), rawHello()]],
    ['a hello of versions that are not spoken', 'VERSION_MISMATCH', [rawHello({ from: 7, to: 9 })]],
    [
      'a frame over the limit, on its header alone',
      'FRAME_TOO_LARGE',
      [rawHello(), header(MAX_FRAME_BYTES + 1, 3)],
    ],
    ['a header whose length is negative', 'FRAME_TOO_LARGE', [rawHello(), header(0xffffffff, 3)]],
    ['an unknown type', 'UNKNOWN_TYPE', [rawHello(), rawFrame({ type: 99 })]],
    ['a flag that its type does not define', 'BAD_FRAME', [rawHello(), rawFrame({ type: 11, flags: 0x10 })]],
    ['a body where there is none', 'BAD_FRAME', [rawHello(), rawFrame({ type: 9, id: 1, body: 'x' })]],
    [
      'a call without a whole head',
      'BAD_FRAME',
      [rawHello(), rawFrame({ type: 3, id: 1, flags: 2, body: 'x' })],
    ],
    [
      'a pattern that is no UTF-8',
      'BAD_FRAME',
      [rawHello(), rawCall({ id: 1, pattern: BAD_UTF8, payload: 'x' })],
    ],
    ['an answer without an id', 'BAD_FRAME', [rawHello(), rawFrame({ type: 5, id: 0, flags: 2, body: 'x' })]],
    [
      'an id that is used twice',
      'ID_IN_USE',
      [rawHello(), ...[1, 1].map((id) => rawCall({ id, pattern: 'gated', payload: 'x' }))],
    ],
    [
      'an event without credit',
      'TOO_MANY_EVENTS',
      [rawHello(), ...Array.from({ length: 17 }, () => rawCall({ pattern: 'noted', payload: 'x' }))],
    ],
  ])('%s: %s', async (_what, code, bytes) => {
    const all = await served();
    const peer = await RawPeer.to(all.path);
    peer.send(...bytes);
    await peer.closed();
    expect(all.log.troubles).toEqual([expect.stringMatching(new RegExp(`^${code}: `))]);
    expect(peer.frames.filter(({ type }) => type !== 2)).toEqual([]);
    await othersGoOn(all);
    expect(all.log.troubles).toHaveLength(1);
  });

  it('an end inside a frame: FRAME_CUT', async () => {
    const all = await served();
    const peer = await RawPeer.greeted(all.path);
    peer.send(rawCall({ id: 1, pattern: 'echo', payload: 'cut short' }).subarray(0, -3));
    peer.socket.end();
    await peer.closed();
    await until(() => all.log.troubles.length > 0, 'it was logged');
    expect(all.log.troubles).toEqual([expect.stringMatching(/^FRAME_CUT: .*client "raw", pid 4711/)]);
    await othersGoOn(all);
  });

  it('a hello that takes too long from its first byte: HELLO_TIMEOUT', async () => {
    const { path, server, client, log } = await serveAndConnect([Answers], { helloTimeoutMs: 60 });
    const accepted = new Promise<Socket>((resolve) => server.on('connection', resolve));
    const greeted = await RawPeer.to(path);
    greeted.send(rawHello().subarray(0, 5));
    const socket = await accepted;
    await until(() => socket.bytesRead === 5, 'a part of a hello was read');
    greeted.send(rawHello().subarray(5));
    await greeted.frame(2);
    const silent = await RawPeer.to(path);
    const peer = await RawPeer.to(path);
    const startedMs = performance.now();
    peer.send(rawHello().subarray(0, 1));
    await peer.closed();
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(59);
    expect(log.troubles).toEqual([expect.stringMatching(/^HELLO_TIMEOUT: .*60 ms.*helloTimeoutMs/)]);

    // one that is silent may be so for longer, and then begin
    expect([silent.isClosed, greeted.isClosed]).toEqual([false, false]);
    silent.send(rawHello(), rawCall({ id: 1, pattern: 'echo', payload: 'at last' }));
    expect((await silent.frame(5, 1)).body.toString()).toBe('at last');
    expect(await lastValueFrom(client.send('echo', 'still'))).toBe('still');
  });

  it('a hello whose every byte comes in time, but not all of them', async () => {
    const { path, log } = await serveAndConnect([Answers], { helloTimeoutMs: 80 });
    const peer = await RawPeer.to(path);
    const hello = rawHello();
    for (let byte = 0; byte < hello.length && !peer.isClosed; byte += 1) {
      peer.send(hello.subarray(byte, byte + 1));
      const next = new Gate();
      setTimeout(next.open, 20);
      await next.opened;
    }
    await peer.closed();
    expect(log.troubles).toEqual([expect.stringMatching(/^HELLO_TIMEOUT/)]);
  });
});

describe('a call is ended, with one line of log, by', () => {
  it.each<[string, string, Parameters<typeof rawCall>[0]]>([
    ['a payload that is no JSON', 'BAD_PAYLOAD', { pattern: 'echo', kind: 1, payload: '{"a":' }],
    ['an empty payload of JSON', 'BAD_PAYLOAD', { pattern: 'echo', kind: 1, payload: '' }],
    ['JSON that is no UTF-8', 'BAD_PAYLOAD', { pattern: 'echo', kind: 1, payload: BAD_UTF8 }],
    ['text that is no UTF-8', 'BAD_PAYLOAD', { pattern: 'echo', kind: 2, payload: BAD_UTF8 }],
    ['metadata that are no JSON', 'BAD_METADATA', { pattern: 'echo', payload: 'x', metadata: '{' }],
    [
      'metadata with a value that is no string',
      'BAD_METADATA',
      { pattern: 'echo', payload: 'x', metadata: '{"a":1}' },
    ],
    [
      'metadata over the limit',
      'METADATA_TOO_LARGE',
      { pattern: 'echo', payload: 'x', metadata: JSON.stringify({ a: 'x'.repeat(8192) }) },
    ],
    ['a pattern that nobody handles', 'NO_HANDLER', { pattern: 'nobody', payload: 'x' }],
    ['an empty pattern', 'NO_HANDLER', { pattern: '', payload: 'x' }],
    [
      'a pattern of arrays in arrays',
      'NO_HANDLER',
      { pattern: '['.repeat(32_000) + ']'.repeat(32_000), payload: 'x' },
    ],
    [
      'a pattern of objects in objects',
      'NO_HANDLER',
      { pattern: '{"a":'.repeat(10_000) + '1' + '}'.repeat(10_000), payload: 'x' },
    ],
    ['a pattern that names a property of every object', 'NO_HANDLER', { pattern: '__proto__', payload: 'x' }],
  ])('%s: %s', async (_what, code, call) => {
    const all = await served();
    const peer = await RawPeer.greeted(all.path);
    peer.send(
      rawCall({ id: 1, pattern: 'echo', payload: 'before' }),
      rawCall({ ...call, id: 2 }),
      rawCall({ id: 3, pattern: 'echo', payload: 'behind' }),
    );
    expect(await peer.refusal(2)).toBe(code);
    expect((await peer.frame(5, 1)).body.toString()).toBe('before');
    expect((await peer.frame(5, 3)).body.toString()).toBe('behind');
    expect(all.log.troubles).toEqual([expect.stringMatching(new RegExp(`^${code}: `))]);
    await othersGoOn(all);
    expect(peer.isClosed).toBe(false);
  });

  it.each<[string, Parameters<typeof rawCall>[0]]>([
    ['a payload that can not be read', { pattern: 'noted', kind: 1, payload: '{' }],
    ['bad metadata', { pattern: 'noted', payload: 'x', metadata: '[]' }],
    ['a pattern that nobody handles', { pattern: 'nobody', payload: 'x' }],
  ])('an event that is dropped: %s', async (_what, event) => {
    const all = await served();
    const peer = await RawPeer.greeted(all.path);
    // more often than events may be under way: a dropped one gives its credit back
    for (let count = 0; count < 10; count += 1) peer.send(rawCall(event));
    await peer.frame(10, 0);
    for (let count = 0; count < 10; count += 1) peer.send(rawCall(event));
    peer.send(rawCall({ id: 1, pattern: 'echo', payload: 'behind' }));
    await peer.frame(5, 1);
    expect(all.log.troubles).toHaveLength(20);
    expect(noted).toEqual([]);
    await othersGoOn(all);
  });

  it('one request more than may be in flight: TOO_MANY_REQUESTS', async () => {
    const { path, log } = await serveAndConnect([Answers], { maxInFlight: 16 });
    const peer = await RawPeer.greeted(path);
    for (let id = 1; id <= 17; id += 1) peer.send(rawCall({ id, pattern: 'gated', payload: 'x' }));
    expect(await peer.refusal(17)).toBe('TOO_MANY_REQUESTS');
    expect(log.troubles).toEqual([expect.stringMatching(/^TOO_MANY_REQUESTS: 16 .*maxInFlight/)]);
    gate.open();
    for (let id = 1; id <= 16; id += 1) expect((await peer.frame(5, id)).body.toString()).toBe('done');
  });
});

describe('what is allowed', () => {
  it('a frame of an unknown type that may be skipped', async () => {
    const all = await served();
    const peer = await RawPeer.greeted(all.path);
    peer.send(
      rawFrame({ type: 99, flags: 0x80, body: 'later' }),
      rawCall({ id: 1, pattern: 'echo', payload: 'x' }),
    );
    await peer.frame(5, 1);
    expect(all.log.troubles).toEqual([]);
    await othersGoOn(all);
  });

  it('every frame byte by byte, and all in one chunk', async () => {
    const { path } = await serveAndConnect([Answers]);
    const all = Buffer.concat([
      rawHello(),
      ...[1, 2, 3].map((id) => rawCall({ id, pattern: 'echo', payload: `no ${id}` })),
    ]);
    const slow = await RawPeer.to(path);
    slow.socket.setNoDelay();
    for (const byte of all) {
      await new Promise((resolve) => slow.socket.write(Uint8Array.from([byte]), resolve));
    }
    const fast = await RawPeer.to(path);
    fast.send(all);
    for (const peer of [slow, fast]) {
      for (const id of [1, 2, 3]) expect((await peer.frame(5, id)).body.toString()).toBe(`no ${id}`);
    }
  });

  it('a peer that leaves without a word, before and after its hello', async () => {
    const all = await served();
    const silent = await RawPeer.to(all.path);
    const greeted = await RawPeer.greeted(all.path);
    for (const peer of [silent, greeted]) {
      peer.socket.end();
      await peer.closed();
    }
    expect(all.log.troubles).toEqual([]);
    await othersGoOn(all);
  });

  it("a peer's name that would forge a line of log is quoted", async () => {
    const all = await served();
    const peer = await RawPeer.greeted(all.path, { name: 'a\nERROR forged\u0085\u2028\u202e\u009b' });
    peer.send(rawFrame({ type: 99 }));
    await peer.closed();
    expect(all.log.troubles).toEqual([
      expect.stringMatching(/^UNKNOWN_TYPE: .*"a\\nERROR forged\\u0085\\u2028\\u202e\\u009b"/),
    ]);
    expect(all.log.troubles[0]).not.toContain('\n');
    await othersGoOn(all);
  });
});
