import { beforeEach, describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { lastValueFrom } from 'rxjs';
import type { UdsClient } from '../../src/index.js';
import { clientOf, type Served, serve } from '../support/nest.js';
import { rawHello } from '../support/raw-frames.js';
import { packetOf, TextPeer } from '../support/text-peer.js';
import { Gate, until } from '../support/wait.js';

let gate = new Gate();
let noted: unknown[] = [];

beforeEach(() => {
  gate = new Gate();
  noted = [];
});

@Controller()
class Answers {
  @MessagePattern('echo')
  echo(@Payload() data: unknown): unknown {
    return data;
  }

  @MessagePattern('gated')
  async gated(@Payload() data: unknown): Promise<unknown> {
    noted.push(data);
    await gate.opened;
    return data;
  }

  @EventPattern('noted')
  note(@Payload() data: unknown): void {
    noted.push(data);
  }
}

const MAX_FRAME_BYTES = 65_536;
const BAD_UTF8 = Uint8Array.from([0x7b, 0x22, 0xc3, 0x28, 0x22]);
const LINE = `${JSON.stringify({ id: 0, pattern: 'echo', data: 'before' })}\n`;
const BEHIND = LINE.replace('0', '9');
const PACKET = packetOf({ pattern: 'echo', data: 'before', id: '0' });

/** A server with a client of each dialect whose call is in flight, to see that they go on whatever another peer does. */
async function served(
  options: object = {},
): Promise<Served & { client: UdsClient; inFlight: Promise<unknown>; lines: TextPeer; packets: TextPeer }> {
  const all = await serve([Answers], { maxFrameBytes: MAX_FRAME_BYTES, closeTimeoutMs: 10_000, ...options });
  const client = clientOf(all.path);
  const inFlight = lastValueFrom(client.send('gated', 'binary'));
  const lines = (await TextPeer.to(all.path)).sendLines({ id: 1, pattern: 'gated', data: 'ndjson' });
  const packets = (await TextPeer.to(all.path)).sendPackets({ pattern: 'gated', data: 'nest', id: '1' });
  await until(() => noted.length === 3, 'a call of each is in flight');
  return { ...all, client, inFlight, lines, packets };
}

async function othersGoOn({
  client,
  inFlight,
  lines,
  packets,
}: Awaited<ReturnType<typeof served>>): Promise<void> {
  gate.open();
  expect(await inFlight).toBe('binary');
  expect(await lastValueFrom(client.send('echo', 'still'))).toBe('still');
  expect(await lines.linesCome(1)).toEqual([{ id: 1, response: 'ndjson' }]);
  expect(await packets.packetsCome(1)).toEqual([{ response: 'nest', isDisposed: true, id: '1' }]);
  await lines.sendLines({ id: 2, pattern: 'echo', data: 'still' }).linesCome(2);
  await packets.sendPackets({ pattern: 'echo', data: 'still', id: '2' }).packetsCome(2);
}

type Case = readonly [what: string, code: string, bytes: (Uint8Array | string)[]];

describe('a connection of ndjson is ended, with a last line and one line of log, by', () => {
  it.each<Case>([
    ['a line that is no object', 'BAD_FRAME', [LINE, '[1]\n']],
    ['a line that is no JSON at all', 'BAD_FRAME', [LINE, 'hello\n']],
    ['a switch to nest-json', 'BAD_FRAME', [LINE, PACKET, '\n']],
    ['a switch to binary', 'BAD_FRAME', [LINE, rawHello(), '\n']],
    ['a byte order mark', 'BAD_FRAME', [LINE, '\ufeff{"id":1}\n']],
    [
      'a line that is too long',
      'FRAME_TOO_LARGE',
      [LINE, `{"id":1,"data":"${'x'.repeat(MAX_FRAME_BYTES)}"}\n`],
    ],
    ['a line without an end', 'FRAME_TOO_LARGE', [LINE, '{'.repeat(MAX_FRAME_BYTES + 1)]],
    ['a first line without an end', 'FRAME_TOO_LARGE', ['{'.repeat(MAX_FRAME_BYTES + 1)]],
    ['blanks without an end', 'FRAME_TOO_LARGE', [LINE, ' '.repeat(MAX_FRAME_BYTES + 1)]],
    [
      'an id that is used twice',
      'ID_IN_USE',
      [LINE, ...[1, 2].map(() => '{"id":"a\\nERROR forged","pattern":"gated"}\n')],
    ],
  ])('%s: %s', async (_what, code, bytes) => {
    const all = await served();
    const peer = await TextPeer.to(all.path);
    peer.send(...bytes);
    await peer.closed();
    expect(peer.lines.at(-1)).toEqual({ error: { code, message: expect.any(String) }, transport: true });
    expect(peer.text.endsWith('}\n')).toBe(true);
    if (bytes[0] === LINE && code !== 'ID_IN_USE') expect(peer.lines.length).toBeLessThanOrEqual(2);
    await othersGoOn(all);
    expect(all.log.troubles).toEqual([expect.stringMatching(new RegExp(`^${code}: `))]);
    expect(all.log.troubles[0]).not.toMatch(/\n|forged/);
  });
});

describe('a line of ndjson that can not be read is answered, with one line of log, and those behind it are read:', () => {
  it.each<[string, string, string | Uint8Array, unknown]>([
    ['no JSON', 'BAD_PAYLOAD', '{"id":7,"pattern":', undefined],
    ['no UTF-8', 'BAD_PAYLOAD', BAD_UTF8, undefined],
    ['no pattern', 'BAD_PAYLOAD', '{"id":7}', 7],
    ['a pattern that is null', 'BAD_PAYLOAD', '{"id":7,"pattern":null}', 7],
    ['an id that is an object', 'BAD_PAYLOAD', '{"id":{},"pattern":"echo"}', undefined],
    ['an id that is too long', 'BAD_PAYLOAD', `{"id":"${'x'.repeat(257)}","pattern":"echo"}`, undefined],
    ['a time limit that is text', 'BAD_PAYLOAD', '{"id":7,"pattern":"echo","timeoutMs":"1"}', 7],
    ['a time limit below zero', 'BAD_PAYLOAD', '{"id":7,"pattern":"echo","timeoutMs":-1}', 7],
    ['bytes that are no base64', 'BAD_PAYLOAD', '{"id":7,"pattern":"echo","dataBytes":"3q2"}', 7],
    ['data and bytes', 'BAD_PAYLOAD', '{"id":7,"pattern":"echo","data":1,"dataBytes":"3q0="}', 7],
    ['metadata with a number', 'BAD_METADATA', '{"id":7,"pattern":"echo","metadata":{"a":1}}', 7],
    [
      'metadata over the limit',
      'METADATA_TOO_LARGE',
      `{"id":7,"pattern":"echo","metadata":{"a":"${'x'.repeat(8192)}"}}`,
      7,
    ],
    ['a pattern that nobody handles', 'NO_HANDLER', '{"id":7,"pattern":"nobody\\nERROR forged"}', 7],
    ['a cancel without an id', 'BAD_PAYLOAD', '{"cancel":true}', undefined],
  ])('%s: %s', async (_what, code, line, id) => {
    const all = await served();
    const peer = await TextPeer.to(all.path);
    peer.send(LINE, line, '\n', BEHIND);
    const answers = await peer.linesCome(3);
    const refusal = { error: { code, message: expect.any(String) }, transport: true };
    expect(answers).toContainEqual(id === undefined ? refusal : { id, ...refusal });
    expect(answers.filter(({ response }) => response === 'before')).toHaveLength(2);
    await othersGoOn(all);
    expect(peer.isClosed).toBe(false);
    expect(all.log.troubles).toEqual([expect.stringMatching(new RegExp(`^${code}: `))]);
    expect(all.log.troubles[0]).not.toContain('\n');
  });

  it.each([
    ['no pattern', '{"data":1}', true],
    ['bad metadata', '{"pattern":"noted","metadata":[]}', false],
    ['a pattern that nobody handles', '{"pattern":"nobody\\nERROR forged"}', false],
  ])('an event with %s is dropped', async (_what, event) => {
    const { path, log } = await serve([Answers], { maxEvents: 16, maxLogLinesPerCode: 100 });
    const peer = await TextPeer.to(path);
    peer.send(`${event}\n`.repeat(40), BEHIND);
    await until(() => peer.text.includes('before'), 'what stands behind them was answered');
    expect(log.troubles).toHaveLength(40);
    expect(log.troubles.filter((line) => line.includes('\n'))).toEqual([]);
    expect(noted).toEqual([]);
  });
});

describe('a connection of nest-json is ended, with a last packet and one line of log, by', () => {
  it.each<Case>([
    ['a length with something behind it', 'BAD_FRAME', [PACKET, '7junk#"hello"']],
    ['a length that is no number', 'BAD_FRAME', [PACKET, 'x#']],
    ['no length', 'BAD_FRAME', [PACKET, '#{}']],
    ['a negative length', 'BAD_FRAME', [PACKET, '-1#{}']],
    ['digits without an end', 'BAD_FRAME', [PACKET, '1'.repeat(11)]],
    ['zeros without an end', 'BAD_FRAME', [PACKET, '0'.repeat(100_000)]],
    ['digits without an end, as the first bytes', 'BAD_FRAME', ['9'.repeat(11)]],
    ['a length over the limit, before its text', 'FRAME_TOO_LARGE', [PACKET, `${MAX_FRAME_BYTES + 1}#`]],
    ['the longest length', 'FRAME_TOO_LARGE', [PACKET, '9999999999#']],
    ['no JSON', 'BAD_FRAME', [PACKET, '5#{"id"']],
    ['no UTF-8', 'BAD_FRAME', [PACKET, '4#', BAD_UTF8]],
    ['a length that ends inside a surrogate pair', 'BAD_FRAME', [PACKET, '2#"😀"']],
    ['a switch to ndjson', 'BAD_FRAME', [PACKET, LINE]],
    ['a switch to binary', 'BAD_FRAME', [PACKET, rawHello()]],
    [
      'an id that is used twice',
      'ID_IN_USE',
      [PACKET, ...[1, 2].map(() => packetOf({ pattern: 'gated', data: 1, id: 'a\nERROR forged' }))],
    ],
  ])('%s: %s', async (_what, code, bytes) => {
    const all = await served();
    const peer = await TextPeer.to(all.path);
    peer.send(...bytes);
    await peer.closed();
    expect(peer.packets.at(-1)).toEqual({ err: { code, message: expect.any(String) }, isDisposed: true });
    await othersGoOn(all);
    expect(all.log.troubles).toEqual([expect.stringMatching(new RegExp(`^${code}: `))]);
    expect(all.log.troubles[0]).not.toMatch(/\n|forged/);
  });

  it('and not by bad metadata or by a pattern that nobody handles', async () => {
    const all = await served();
    const peer = await TextPeer.to(all.path);
    peer.sendPackets(
      { pattern: 'echo', data: 1, id: 'm', metadata: { a: 1 } },
      { pattern: 'nobody\nERROR forged', data: 1, id: 'n' },
      { pattern: 'echo', data: 'behind', id: 'b' },
    );
    expect(await peer.packetsCome(3)).toEqual(
      expect.arrayContaining([
        { err: { code: 'BAD_METADATA', message: expect.any(String) }, isDisposed: true, id: 'm' },
        { id: 'n', status: 'error', err: expect.stringMatching(/no matching message handler/) },
        { response: 'behind', isDisposed: true, id: 'b' },
      ]),
    );
    await othersGoOn(all);
    expect(all.log.troubles).toEqual([
      expect.stringMatching(/^BAD_METADATA: /),
      expect.stringMatching(/^NO_HANDLER: .*"nobody\\nERROR forged"/),
    ]);
  });
});

describe('what is nested deeper than the stack of JSON.stringify', () => {
  const deep = '['.repeat(20_000) + ']'.repeat(20_000);

  it('ends its line of ndjson alone', async () => {
    const all = await served();
    const peer = await TextPeer.to(all.path);
    peer.send(`{"id":1,"pattern":${deep}}\n{"id":2,"pattern":"echo","data":${deep}}\n`, LINE);
    const lines = await peer.linesCome(3);
    expect(lines).toContainEqual({
      id: 1,
      error: { code: 'BAD_PAYLOAD', message: expect.stringContaining('nested too deep') },
      transport: true,
    });
    expect(lines).toContainEqual(
      expect.objectContaining({ id: 2, error: expect.objectContaining({ code: 'UNSERIALIZABLE_ANSWER' }) }),
    );
    expect(lines).toContainEqual({ id: 0, response: 'before' });
    await othersGoOn(all);
  });

  it('ends its packet of nest-json alone', async () => {
    const all = await served();
    const peer = await TextPeer.to(all.path);
    const text = `{"pattern":${deep},"data":1,"id":"1"}`;
    peer.send(`${text.length}#${text}`).sendPackets({ pattern: 'echo', data: 'behind', id: '2' });
    expect(await peer.packetsCome(2)).toEqual([
      { err: { code: 'BAD_PAYLOAD', message: expect.any(String) }, isDisposed: true, id: '1' },
      { response: 'behind', isDisposed: true, id: '2' },
    ]);
    await othersGoOn(all);
  });

  it.each([
    ['the id', 'id', deep],
    // What one stack can write another may not, so that the length is the limit.
    ['an id of less depth', 'id', '['.repeat(600) + ']'.repeat(600)],
    ['an id that no answer has room for', 'id', `"${'€'.repeat(30_000)}"`],
  ])('ends a connection of nest-json where it is %s', async (_what, key, value) => {
    const all = await served();
    const peer = await TextPeer.to(all.path);
    const text = `{"pattern":"nope","data":1,"id":"1","${key}":${value}}`;
    peer.send(`${text.length}#${text}`);
    expect(await peer.packetsCome(1)).toEqual([
      { err: { code: 'BAD_FRAME', message: expect.any(String) }, isDisposed: true },
    ]);
    await othersGoOn(all);
  });
});
