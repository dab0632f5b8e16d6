import { describe, expect, it } from '@jest/globals';
import { Controller, NotFoundException } from '@nestjs/common';
import { MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import { createReadStream, readFileSync } from 'node:fs';
import { homedir, hostname } from 'node:os';
import { throwError } from 'rxjs';
import { UdsError } from '../../src/index.js';
import { serve, socketPath } from '../support/nest.js';
import { rawCall, rawFrame, rawHello } from '../support/raw-frames.js';
import { RawPeer } from '../support/raw-peer.js';
import { packetOf, TextPeer } from '../support/text-peer.js';
import { until } from '../support/wait.js';

const SECRET = '/secret/of/the/server';

class Talkative extends Error {
  readonly path = SECRET;
  readonly env = process.env;

  toJSON(): object {
    return { message: this.message, stack: this.stack, path: SECRET };
  }
}

const systemError = (): unknown => {
  try {
    return readFileSync(`${SECRET}/file`);
  } catch (error) {
    return error;
  }
};

/** What a handler throws, none of which is meant for its caller. */
const thrown: Record<string, () => unknown> = {
  'an Error': () => new Error(SECRET),
  'an Error with a cause': () => new Error('outer', { cause: new Error(SECRET) }),
  'an Error with a toJSON': () => new Talkative('talkative'),
  "a system's error": systemError,
  'an AggregateError': () => new AggregateError([new Error(SECRET)], SECRET),
  'a UdsError': () => new UdsError('LISTEN_FAILED', SECRET, new Error(SECRET)),
  'an exception of HTTP': () => new NotFoundException(SECRET),
  'an object': () => ({ stack: new Error().stack, path: SECRET }),
  'a string': () => SECRET,
};

@Controller()
class Fails {
  @MessagePattern('throws')
  throws(@Payload() kind: string): never {
    throw thrown[kind]?.();
  }

  @MessagePattern('rejects')
  async rejects(@Payload() kind: string): Promise<never> {
    throw thrown[kind]?.();
  }

  @MessagePattern('observable')
  observable(@Payload() kind: string): unknown {
    return throwError(() => thrown[kind]?.());
  }

  @MessagePattern('generator')
  async *generator(@Payload() kind: string): AsyncGenerator<never, void, undefined> {
    if (kind !== '') throw thrown[kind]?.();
    yield kind as never;
  }

  @MessagePattern('readable')
  readable(): unknown {
    return createReadStream(`${SECRET}/file`);
  }

  @MessagePattern('unwritable')
  unwritable(): unknown {
    return new Talkative(String(1n)).cause ?? { amount: 1n, path: SECRET };
  }

  @MessagePattern('meant')
  meant(): never {
    throw new RpcException({ code: 'SOLD_OUT', path: 'as the handler wants' });
  }
}

const UNKNOWN = { status: 'error', message: 'Internal server error' };

/** Frames of a stack, modules, folders and the surroundings of this process. */
const TELLTALE = new RegExp(
  [SECRET, process.cwd(), homedir(), hostname(), process.execPath, process.env['PATH'] ?? SECRET]
    .filter((text) => text.length > 1)
    .map((text) => text.replaceAll(/[.*+?^${}()|[\]\\/]/g, '\\$&'))
    .concat('node_modules', 'node:', '\\.[jt]s:\\d+', '\\\\n +at ', 'ENOENT', '"stack"')
    .join('|'),
);

describe.each(Object.keys(thrown))('a handler that fails with %s', (kind) => {
  it.each(['throws', 'rejects', 'observable', 'generator'])(
    'tells no more than Nest does: %s',
    async (pattern) => {
      const { path } = await serve([Fails]);
      const lines = await TextPeer.to(path);
      lines.sendLines({ id: 1, pattern, data: kind });
      expect(await lines.linesCome(1)).toEqual([{ id: 1, error: UNKNOWN }]);
      const packets = await TextPeer.to(path);
      packets.sendPackets({ id: '1', pattern, data: kind });
      expect(await packets.packetsCome(1)).toEqual([{ id: '1', err: UNKNOWN, isDisposed: true }]);
      const peer = await RawPeer.greeted(path);
      peer.send(rawCall({ id: 1, pattern, payload: kind, credit: 1000 }));
      expect(JSON.parse((await peer.frame(8, 1)).body.toString())).toEqual(UNKNOWN);
    },
  );
});

it('a file that can not be read tells nothing where it is streamed', async () => {
  const { path } = await serve([Fails]);
  const peer = await TextPeer.to(path);
  peer.sendLines({ id: 1, pattern: 'readable' });
  expect(await peer.linesCome(1)).toEqual([{ id: 1, error: UNKNOWN }]);
});

it('what a handler means for its caller is told verbatim', async () => {
  const { path } = await serve([Fails]);
  const peer = await TextPeer.to(path);
  peer.sendLines({ id: 1, pattern: 'meant' });
  const error = { code: 'SOLD_OUT', path: 'as the handler wants' };
  expect(await peer.linesCome(1)).toEqual([{ id: 1, error }]);
});

it('a failure past the filters tells a code and no more', async () => {
  const { path } = await serve([Fails], {
    prepare: (_app, server) =>
      server.setOnProcessingStartHook(() => {
        throw new Error(SECRET);
      }),
  });
  const peer = await TextPeer.to(path);
  peer.sendLines({ id: 1, pattern: 'meant' });
  const [line] = await peer.linesCome(1);
  expect(line).toMatchObject({ error: { code: 'HANDLER_FAILED' }, transport: true });
  expect(peer.text).not.toMatch(TELLTALE);
});

describe('a refusal of the transport holds no stack, path or environment of the server', () => {
  it.each<[string, string]>([
    ['a line that is no JSON', '{"id":1\n'],
    ['a line that names no pattern', '{"id":1}\n'],
    ['a pattern that nobody handles', '{"id":1,"pattern":"nobody"}\n'],
    ['metadata that can not be read', '{"id":1,"pattern":"meant","metadata":1}\n'],
    ['metadata that is too large', `{"id":1,"pattern":"meant","metadata":{"a":"${'x'.repeat(9_000)}"}}\n`],
    ['an answer that can not be written', '{"id":1,"pattern":"unwritable"}\n'],
    ['an id in use', '{"id":1,"pattern":"meant"}\n{"id":1,"pattern":"meant"}\n'],
    ['a line that is no object', '{"id":1,"pattern":"meant"}\nwhat\n'],
    ['a length that is none', '2#{}x'],
    ['a packet that is no JSON', '3#{"a'],
    ['a packet that nobody handles', packetOf({ id: '1', pattern: 'none' })],
    ['a line that is too long', `{"id":1,"pattern":"${'x'.repeat(70_000)}`],
  ])('%s', async (_what, text) => {
    const { path } = await serve([Fails], { maxFrameBytes: 65_536 });
    const peer = await TextPeer.to(path);
    peer.send(text);
    await until(() => peer.text.length > 0 && /err/.test(peer.text), 'it was refused');
    expect(peer.text).not.toMatch(TELLTALE);
  });

  it('of binary, of a dialect that is not served, and of a server that closes', async () => {
    const other = { path: socketPath(), dialects: ['nest-json'] } as const;
    const { path, app } = await serve([Fails], {
      endpoints: [{ path: socketPath() }, other],
      closeTimeoutMs: 50,
    });
    const refused = await RawPeer.greeted(path);
    refused.send(
      rawCall({ id: 1, pattern: 'nobody' }),
      rawCall({ id: 2, pattern: 'meant', kind: 1, payload: '{' }),
      rawCall({ id: 3, pattern: 'meant', metadata: '1' }),
      rawCall({ id: 4, pattern: 'unwritable' }),
    );
    for (const id of [1, 2, 3, 4]) await refused.refusal(id);
    const stranger = await RawPeer.to(other.path);
    stranger.send(rawHello());
    await stranger.frame(13);
    await app.close();
    await refused.frame(13);
    const bodies = [...refused.frames, ...stranger.frames].map(({ body }) => body.toString('latin1'));
    expect(bodies.join('\n')).not.toMatch(TELLTALE);
    expect(rawFrame({ type: 1, body: SECRET }).toString('latin1')).toMatch(TELLTALE);
  });
});
