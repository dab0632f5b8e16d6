import { beforeEach, describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { Ctx, MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import { Buffer } from 'node:buffer';
import { of } from 'rxjs';
import { UdsContext } from '../../src/index.js';
import { type Served, serve, socketPath } from '../support/nest.js';
import { TextPeer } from '../support/text-peer.js';
import { Gate, turns, until } from '../support/wait.js';

const KIB = 1024;
const MIB = KIB ** 2;

let gates = new Map<string, Gate>();
let begun: string[] = [];
let contexts: UdsContext[] = [];
let running = 0;
let peak = 0;

beforeEach(() => {
  gates = new Map();
  begun = [];
  contexts = [];
  [running, peak] = [0, 0];
});

/** What handlers answer with, by the text that they are given. */
const ANSWERS: Record<string, () => unknown> = {
  bytes: () => Uint8Array.from([0, 255, 10]),
  'a string': () => 'zażółć 😀',
  'an object': () => ({ a: [1, null] }),
  'a number': () => 7,
  null: () => null,
  nothing: () => undefined,
  'an empty string': () => '',
  'a generator': async function* () {
    yield 'one,';
    await turns(1);
    yield Buffer.from('two,');
    yield { three: 3 };
    yield undefined;
  },
  'an Observable': () => of('one,', 2, Uint8Array.from([44])),
  'a lone surrogate': () => 'a\ud83d',
};

/** What fails, likewise. */
const FAILURES: Record<string, () => unknown> = {
  'throws an RpcException': () => {
    throw new RpcException({ status: 'error', message: 'no stock' });
  },
  'throws an error': () => {
    throw new Error('broken');
  },
  'rejects after a while': async () => {
    await turns(2);
    throw new RpcException('late');
  },
  'answers with what has no JSON': () => 1n,
};

@Controller()
class Bytes {
  @MessagePattern('echo')
  echo(@Payload() data: unknown, @Ctx() context: UdsContext): unknown {
    if (contexts.length === 0) contexts.push(context);
    return data;
  }

  @MessagePattern({ cmd: 'gated' })
  async gated(@Payload() data: Buffer): Promise<unknown> {
    const text = data.toString();
    begun.push(text);
    running += 1;
    peak = Math.max(peak, running);
    const gate = gates.get(text);
    await gate?.opened;
    running -= 1;
    return FAILURES[text] === undefined ? `<${text}>` : FAILURES[text]();
  }

  @MessagePattern('answers')
  answers(@Payload() data: Buffer): unknown {
    const text = data.toString();
    return (ANSWERS[text] ?? FAILURES[text])?.();
  }

  @MessagePattern('fails in between')
  async *failsInBetween(): AsyncGenerator<string> {
    yield 'one,';
    yield 'two';
    throw new RpcException('enough');
  }

  @MessagePattern('flooded')
  async flooded(@Payload() data: Buffer): Promise<Buffer> {
    await gates.get('flood')?.opened;
    return data;
  }
}

async function rawOn(pattern: string | object): Promise<Served> {
  return await serve([Bytes], { endpoints: [{ path: socketPath(), dialects: ['raw'], pattern }] });
}

/** Sends one chunk that is read for itself. */
async function sendAlone(peer: TextPeer, text: string): Promise<void> {
  peer.send(text);
  await until(() => begun.at(-1) === text, `${text} began`);
}

describe('bytes of a raw endpoint', () => {
  it.each<[string, number, number]>([
    ['10 MB at once', 10_000_000, 10_000_000],
    ['10 MB in odd pieces', 10_000_000, 77_777],
    ['20 KB, a byte at a time', 20_000, 1],
  ])('come back as they were: %s', async (_what, size, piece) => {
    const { path, log } = await rawOn('echo');
    const peer = await TextPeer.to(path);
    const sent = Buffer.from(Uint32Array.from({ length: size / 4 }, (_, index) => index * 2654435761).buffer);
    for (let at = 0; at < sent.length; at += piece) {
      await new Promise((resolve) => peer.socket.write(sent.subarray(at, at + piece), resolve));
    }
    await peer.end().closed();
    expect(peer.bytes.equals(sent)).toBe(true);
    expect(log.troubles).toEqual([]);
  });

  it('are the payload of a call for its pattern, whatever they begin with, without metadata or a peer', async () => {
    const { path } = await rawOn('echo');
    for (const bytes of ['{"id":1}\n', '7#"hello"', '\0\0\0', 'GET /', '\xff']) {
      const peer = await TextPeer.to(path);
      peer.send(Buffer.from(bytes, 'latin1'));
      await until(() => peer.bytes.length >= bytes.length, 'as many came back');
      expect(peer.bytes.toString('latin1')).toBe(bytes);
    }
    const [context] = contexts;
    expect(context?.getPattern()).toBe('echo');
    expect([context?.peer, context?.getMetadata(), context?.deadline]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });
});

describe('an answer of a raw endpoint is written bare', () => {
  it.each<[string, Buffer | string]>([
    ['bytes', Buffer.from([0, 255, 10])],
    ['a string', 'zażółć 😀'],
    ['an object', '{"a":[1,null]}'],
    ['a number', '7'],
    ['null', 'null'],
    ['nothing', ''],
    ['an empty string', ''],
    ['a generator', 'one,two,{"three":3}'],
    ['an Observable', 'one,2,'],
    ['a lone surrogate', 'a\ufffd'],
  ])('%s', async (text, expected) => {
    const { path, log } = await rawOn('answers');
    const peer = await TextPeer.to(path);
    await peer.send(text).end().closed();
    expect(peer.bytes).toEqual(Buffer.from(expected as string));
    expect(log.troubles).toEqual([]);
  });
});

describe('calls of a raw connection', () => {
  it('run one after the other, so that answers come in the order of the chunks', async () => {
    const served = await rawOn({ cmd: 'gated' });
    gates.set('slow', new Gate());
    const { peer, socket } = await TextPeer.accepted(served);
    await sendAlone(peer, 'slow');
    peer.send('fast');
    await until(() => socket.isPaused(), 'the second chunk was read and waits');
    expect(begun).toEqual(['slow']);
    gates.get('slow')!.open();
    await peer.textComes('<slow><fast>');
    expect(peer.text).toBe('<slow><fast>');
    await until(() => !socket.isPaused(), 'the server reads again');
    peer.send('more');
    await peer.textComes('<slow><fast><more>');
    expect(peer.text).toBe('<slow><fast><more>');
    expect(peak).toBe(1);
  });

  it('of other connections run meanwhile', async () => {
    const served = await rawOn({ cmd: 'gated' });
    gates.set('slow', new Gate());
    const slow = await TextPeer.to(served.path);
    await sendAlone(slow, 'slow');
    const fast = await TextPeer.to(served.path);
    await fast.send('fast').textComes('<fast>');
    expect([slow.text, fast.text]).toEqual(['', '<fast>']);
    gates.get('slow')!.open();
    await slow.textComes('<slow>');
  });

  it('that nobody answers with anything do not hold up those behind them', async () => {
    const { path } = await rawOn('answers');
    const peer = await TextPeer.to(path);
    for (let round = 1; round <= 20; round += 1) {
      const served = await TextPeer.to(path);
      await served.send('nothing').end().closed();
      await peer.send('a number').textComes('7'.repeat(round));
    }
    expect(peer.text).toBe('7'.repeat(20));
  });

  it('hold back a peer that floods: what has been read stays bounded, and nothing is lost', async () => {
    const served = await rawOn('flooded');
    gates.set('flood', new Gate());
    const { peer, socket } = await TextPeer.accepted(served);
    const sent = Buffer.alloc(16 * MIB, 'flood');
    peer.socket.write(sent);
    await until(() => socket.isPaused(), 'the server stopped reading');
    const other = await TextPeer.to(served.path);
    other.send('x');
    await turns(20);
    // The chunk that runs, the one that waits, and what the stream had read ahead of it.
    expect(socket.bytesRead).toBeLessThanOrEqual(4 * 64 * KIB);
    gates.get('flood')!.open();
    await peer.end().closed();
    expect(peer.bytes.equals(sent)).toBe(true);
    await other.textComes('x');
  });
});

describe('an error of a raw endpoint', () => {
  it.each(Object.keys(FAILURES))(
    'ends the connection behind the answers before it, with a line of log: one that %s',
    async (how) => {
      const served = await rawOn({ cmd: 'gated' });
      gates.set(how, new Gate());
      const { peer, socket } = await TextPeer.accepted(served);
      const other = await TextPeer.to(served.path);
      for (const text of ['one', 'two']) {
        peer.send(text);
        await until(() => peer.text.endsWith(`<${text}>`), `${text} was answered`);
      }
      await sendAlone(peer, how);
      peer.send('behind');
      await until(() => socket.isPaused(), 'one more waits');
      gates.get(how)!.open();
      await peer.closed();
      expect(peer.text).toBe('<one><two>');
      expect(begun).not.toContain('behind');
      // others are served
      await other.send('still').textComes('<still>');
      expect(other.isClosed).toBe(false);
      // by then all is logged that will be
      await served.app.close();
      const codes = served.log.troubles.filter((line) => /^[A-Z_]+: /.test(line));
      const code = how.includes('JSON') ? 'UNSERIALIZABLE_ANSWER' : 'HANDLER_FAILED';
      expect(codes).toEqual([expect.stringMatching(new RegExp(`^${code}: `))]);
    },
  );

  it('behind values of a stream comes after them', async () => {
    const { app, path, log } = await rawOn('fails in between');
    const peer = await TextPeer.to(path);
    peer.send('x');
    await peer.closed();
    expect(peer.text).toBe('one,two');
    await app.close();
    expect(log.troubles).toEqual([expect.stringMatching(/^HANDLER_FAILED: .*raw bytes/)]);
  });

  it('is also that nobody handles its pattern: NO_HANDLER, logged once', async () => {
    const { app, path, log } = await rawOn('nobody\nERROR forged');
    const peer = await TextPeer.to(path);
    peer.send('x');
    await peer.closed();
    expect(peer.text).toBe('');
    await app.close();
    expect(log.troubles).toEqual([expect.stringMatching(/^NO_HANDLER: .*"nobody\\nERROR forged"/)]);
  });
});
