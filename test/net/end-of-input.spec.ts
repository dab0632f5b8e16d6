import { beforeEach, describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { Ctx, MessagePattern, Payload } from '@nestjs/microservices';
import { setTimeout as delay } from 'node:timers/promises';
import type { UdsEndpoint } from '../../src/index.js';
import { UdsContext } from '../../src/index.js';
import { type Served, serve, socketPath } from '../support/nest.js';
import { packetOf, TextPeer } from '../support/text-peer.js';
import { Gate, until } from '../support/wait.js';

let gate = new Gate();
let running = 0;
let aborted: unknown[] = [];

beforeEach(() => {
  gate = new Gate();
  running = 0;
  aborted = [];
});

@Controller()
class Answers {
  @MessagePattern('gated')
  async gated(@Payload() data: unknown, @Ctx() { signal }: UdsContext): Promise<unknown> {
    signal.addEventListener('abort', () => aborted.push(data));
    running += 1;
    // What is 'at once' ends the first, so that the answers of others come later.
    if (data !== 'first') await gate.opened;
    return data;
  }

  @MessagePattern('stream')
  async *stream(@Payload() data: unknown): AsyncGenerator<string> {
    running += 1;
    yield `${String(data)}1`;
    await gate.opened;
    yield `${String(data)}2`;
  }
}

/** What one dialect writes for a call, and reads of the answers. */
interface Spoken {
  readonly write: (id: number, pattern: string, data: string) => string;
  readonly read: (peer: TextPeer) => unknown;
  readonly gated: unknown;
  readonly streamed: unknown;
}

const SPOKEN: Record<string, Spoken> = {
  ndjson: {
    write: (id, pattern, data) => `${JSON.stringify({ id, pattern, data })}\n`,
    read: (peer) => peer.lines,
    gated: [
      { id: 1, response: 'first' },
      { id: 2, response: 'second' },
    ],
    streamed: [
      { id: 1, next: 's1' },
      { id: 1, next: 's2' },
      { id: 1, complete: true },
    ],
  },
  'nest-json': {
    write: (id, pattern, data) => packetOf({ pattern, data, id: String(id) }),
    read: (peer) => peer.packets,
    gated: [
      { response: 'first', isDisposed: true, id: '1' },
      { response: 'second', isDisposed: true, id: '2' },
    ],
    streamed: [
      { response: 's1', id: '1' },
      { response: 's2', id: '1' },
      { isDisposed: true, id: '1' },
    ],
  },
  // Chunks are not told apart here, so the peer sends one alone.
  raw: { write: (_id, _pattern, data) => data, read: (peer) => peer.text, gated: 'second', streamed: 's1s2' },
};
const dialects = Object.keys(SPOKEN);

/** An endpoint of the dialect; of `raw` with a pattern. */
async function servedIn(dialect: string, pattern: string, options: object = {}): Promise<Served> {
  const raw: UdsEndpoint = { path: socketPath(), dialects: ['raw'], pattern };
  return await serve([Answers], { ...options, ...(dialect === 'raw' && { endpoints: [raw] }) });
}

describe.each(dialects)('the end of the input in %s', (dialect) => {
  const { write, read, gated, streamed } = SPOKEN[dialect]!;
  const calls = dialect === 'raw' ? [2] : [1, 2];
  const send = (peer: TextPeer): TextPeer =>
    peer.send(...calls.map((id) => write(id, 'gated', id === 1 ? 'first' : 'second')));

  it('ends nothing: what runs is answered, then the server closes', async () => {
    const served = await servedIn(dialect, 'gated');
    const { peer, socket } = await TextPeer.accepted(served, true);
    send(peer).end();
    await until(() => running === calls.length && socket.readableEnded, 'all run, and the end was read');
    expect([peer.hasEnded, aborted]).toEqual([false, []]);
    gate.open();
    await peer.closed();
    expect(read(peer)).toEqual(gated);
    expect(aborted).toEqual([]);
    expect(served.log.troubles).toEqual([]);
  });

  it('lets a stream come to its own end', async () => {
    const served = await servedIn(dialect, 'stream');
    const { peer, socket } = await TextPeer.accepted(served, true);
    peer.send(write(1, 'stream', 's')).end();
    await until(() => socket.readableEnded && peer.text.includes('s1'), 'its first value came after the end');
    expect(peer.hasEnded).toBe(false);
    gate.open();
    await peer.closed();
    expect(read(peer)).toEqual(streamed);
  });

  it('closes a connection at once on which nothing runs', async () => {
    const served = await servedIn(dialect, 'gated');
    gate.open();
    const peer = await TextPeer.to(served.path, true);
    send(peer);
    await until(() => peer.text.includes('second'), 'it was answered');
    await peer.end().closed();
    expect(read(peer)).toEqual(gated);
    expect(served.log.troubles).toEqual([]);
  });

  it('may come while the server closes', async () => {
    const served = await servedIn(dialect, 'gated');
    const { peer, socket } = await TextPeer.accepted(served, true);
    send(peer);
    await until(() => running === calls.length, 'all run');
    const closing = served.app.close();
    peer.end();
    await until(() => socket.readableEnded, 'the end was read');
    gate.open();
    await closing;
    await peer.closed();
    expect(read(peer)).toEqual(gated);
  });
});

describe('a last line without its newline', () => {
  it('is a line, where it is whole', async () => {
    const { path, log } = await serve([Answers]);
    const peer = await TextPeer.to(path, true);
    peer.send('{"id":1,"pattern":"gated","data":"first"}\n{"id":2,"pattern":"gated","data":"first"}').end();
    await peer.closed();
    expect(peer.lines).toEqual([
      { id: 1, response: 'first' },
      { id: 2, response: 'first' },
    ]);
    expect(log.troubles).toEqual([]);
  });

  it.each([
    ['ndjson', '{"id":1,"pattern":"gated","data":"second"}\n{"id":2,"pat', 'error'],
    ['nest-json', `${packetOf({ pattern: 'gated', data: 'second', id: '1' })}44#{"patt`, 'err'],
    ['nest-json, in the length,', `${packetOf({ pattern: 'gated', data: 'second', id: '1' })}44`, 'err'],
  ])(
    'in %s that is cut is told by FRAME_CUT, behind the answers to what came before',
    async (dialect, text, key) => {
      const served = await serve([Answers]);
      const { peer, socket } = await TextPeer.accepted(served, true);
      peer.send(text).end();
      await until(() => running === 1 && socket.readableEnded, 'one runs, and the end was read');
      expect(peer.text).toBe('');
      gate.open();
      await peer.closed();
      const answers = dialect === 'ndjson' ? peer.lines : peer.packets;
      expect(answers).toEqual([
        expect.objectContaining({ response: 'second' }),
        expect.objectContaining({ [key]: { code: 'FRAME_CUT', message: expect.any(String) } }),
      ]);
      await until(() => served.log.troubles.length > 0, 'it was logged');
      expect(served.log.troubles).toEqual([expect.stringMatching(/^FRAME_CUT: /)]);
    },
  );
});

describe('a server that closes', () => {
  it.each(dialects)('answers what it took in %s, then says its end', async (dialect) => {
    const { write, read } = SPOKEN[dialect]!;
    const served = await servedIn(dialect, 'gated', { closeTimeoutMs: 10_000 });
    const { peer } = await TextPeer.accepted(served);
    peer.send(write(2, 'gated', 'second'));
    await until(() => running === 1, 'it runs');
    const closing = served.app.close();
    gate.open();
    await closing;
    await peer.closed();
    expect(JSON.stringify(read(peer))).toContain('second');
    expect(peer.text).not.toContain('SERVER_CLOSING');
    expect(served.log.troubles).toEqual([]);
  });

  it.each(dialects)('says its end to a peer of %s for which nothing runs', async (dialect) => {
    const { write } = SPOKEN[dialect]!;
    gate.open();
    const served = await servedIn(dialect, 'gated', { closeTimeoutMs: 10_000 });
    const peer = await TextPeer.to(served.path);
    peer.send(write(2, 'gated', 'second'));
    await until(() => peer.text.includes('second'), 'it was answered');
    await served.app.close();
    await peer.closed();
    expect(peer.text).not.toContain('SERVER_CLOSING');
  });

  it.each(dialects)('cuts in %s what is not done after closeTimeoutMs, and tells it', async (dialect) => {
    const { write } = SPOKEN[dialect]!;
    const served = await servedIn(dialect, 'gated', { closeTimeoutMs: 60 });
    const { peer } = await TextPeer.accepted(served);
    peer.send(write(2, 'gated', 'second'));
    await until(() => running === 1, 'it runs');
    await served.app.close();
    await peer.closed();
    const error = { code: 'SERVER_CLOSING', message: 'The server is closing.' };
    const lastWords: Record<string, string> = {
      ndjson: `${JSON.stringify({ error, transport: true })}\n`,
      'nest-json': packetOf({ err: error, isDisposed: true }),
      raw: '',
    };
    expect(peer.text).toBe(lastWords[dialect]);
    expect(aborted).toHaveLength(1);
  });

  it('takes no longer than closeTimeoutMs where a peer breaks the dialect meanwhile and stays', async () => {
    const closeTimeoutMs = 1_000;
    const served = await servedIn('ndjson', 'gated', { closeTimeoutMs });
    const { peer } = await TextPeer.accepted(served, true);
    peer.send(SPOKEN['ndjson']!.write(2, 'gated', 'second'));
    await until(() => running === 1, 'it runs');
    const closing = served.app.close().then(() => 'closed');
    // Late, so that a limit that began anew with it would be seen.
    await delay(closeTimeoutMs * 0.6);
    peer.send('no object\n');
    expect(await Promise.race([closing, delay(closeTimeoutMs * 0.8, 'late')])).toBe('closed');
    await peer.end().closed();
  });
});
