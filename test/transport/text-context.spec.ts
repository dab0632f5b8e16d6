import { beforeEach, describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { Ctx, EventPattern, MessagePattern } from '@nestjs/microservices';
import { UdsContext } from '../../src/index.js';
import { serve } from '../support/nest.js';
import { TextPeer } from '../support/text-peer.js';
import { Gate, until } from '../support/wait.js';

let gate = new Gate();
let contexts: UdsContext[] = [];
let reasons: unknown[] = [];
let returned = 0;

beforeEach(() => {
  gate = new Gate();
  [contexts, reasons] = [[], []];
  returned = 0;
});

const watch = (context: UdsContext): void => {
  contexts.push(context);
  context.signal.addEventListener('abort', () => reasons.push(context.signal.reason));
};

@Controller()
class Watched {
  @MessagePattern('gated')
  async gated(@Ctx() context: UdsContext): Promise<string> {
    watch(context);
    await gate.opened;
    return 'done';
  }

  @MessagePattern('stream')
  async *stream(@Ctx() context: UdsContext): AsyncGenerator<number> {
    watch(context);
    try {
      yield 1;
      await gate.opened;
      yield 2;
    } finally {
      returned += 1;
    }
  }

  @MessagePattern({ cmd: 'sum', of: [1] })
  sum(@Ctx() context: UdsContext): string {
    return context.getPattern();
  }

  @EventPattern('noted')
  noted(@Ctx() context: UdsContext): void {
    watch(context);
  }
}

const told = (code: string): unknown => ({ code, message: expect.any(String) });

describe('a call of ndjson', () => {
  it('that is out of time is told so, and its signal aborts', async () => {
    const { path, log } = await serve([Watched]);
    const peer = await TextPeer.to(path);
    peer.sendLines({ id: 'a', pattern: 'gated', timeoutMs: 500 }, { id: 'b', pattern: 'gated' });
    expect(await peer.linesCome(1)).toEqual([{ id: 'a', error: told('DEADLINE_EXCEEDED'), transport: true }]);
    expect(reasons).toMatchObject([{ code: 'DEADLINE_EXCEEDED' }]);
    expect(contexts.map(({ deadline }) => deadline)).toEqual([expect.any(Date), undefined]);
    gate.open();
    expect((await peer.linesCome(2)).slice(1)).toEqual([{ id: 'b', response: 'done' }]);
    expect(log.troubles).toEqual([]);
  });

  it('may use the id of one that is out of time again', async () => {
    const { path } = await serve([Watched]);
    const peer = await TextPeer.to(path);
    await peer.sendLines({ id: 'a', pattern: 'gated', timeoutMs: 10 }).linesCome(1);
    gate.open();
    const lines = await peer.sendLines({ id: 'a', pattern: 'gated' }).linesCome(2);
    expect(lines[1]).toEqual({ id: 'a', response: 'done' });
  });

  it('whose first value came in time is not cut', async () => {
    const { path } = await serve([Watched]);
    const peer = await TextPeer.to(path);
    peer.sendLines({ id: 1, pattern: 'stream', timeoutMs: 40 });
    await peer.linesCome(1);
    // longer than the limit of the first
    await peer.sendLines({ id: 2, pattern: 'gated', timeoutMs: 80 }).linesCome(2);
    gate.open();
    expect((await peer.linesCome(4)).filter(({ id }) => id === 1)).toEqual([
      { id: 1, next: 1 },
      { id: 1, next: 2 },
      { id: 1, complete: true },
    ]);
  });

  it('that is cancelled is answered by nothing, and its signal aborts', async () => {
    const { path } = await serve([Watched]);
    const peer = await TextPeer.to(path);
    peer.sendLines({ id: 'a', pattern: 'gated' }, { id: 2, pattern: 'stream' });
    await peer.linesCome(1);
    peer.sendLines({ id: 'a', cancel: true }, { id: 2, cancel: true }, { id: 99, cancel: true });
    await until(() => reasons.length === 2, 'both are told');
    expect(reasons).toMatchObject([{ code: 'CALL_ABORTED' }, { code: 'CALL_ABORTED' }]);
    gate.open();
    await until(() => returned === 1, 'the generator was ended');
    await peer.sendLines({ id: 'p', ping: true }).linesCome(2);
    expect(peer.lines).toEqual([
      { id: 2, next: 1 },
      { id: 'p', pong: true },
    ]);
  });

  it('that is cancelled in the same chunk never starts', async () => {
    const { path } = await serve([Watched]);
    const peer = await TextPeer.to(path);
    peer.sendLines({ id: 1, pattern: 'gated' }, { id: 1, cancel: true }, { id: 2, pattern: 'gated' });
    await until(() => contexts.length > 0, 'the next one runs');
    gate.open();
    expect(await peer.linesCome(1)).toEqual([{ id: 2, response: 'done' }]);
    expect(contexts).toHaveLength(1);
  });

  it('tells its handler the metadata and the pattern, and no peer', async () => {
    const { path } = await serve([Watched]);
    const peer = await TextPeer.to(path);
    const metadata = { trace: 'a1', 'x y': 'ü' };
    peer.sendLines(
      { id: 1, pattern: 'gated', metadata },
      { pattern: 'noted', metadata },
      { id: 2, pattern: 'gated' },
    );
    await until(() => contexts.length === 3, 'all run');
    expect(contexts.map((context) => context.getMetadata())).toEqual([metadata, metadata, undefined]);
    expect(contexts.map(({ peer: who }) => who)).toEqual([undefined, undefined, undefined]);
    expect(contexts.map((context) => context.getPattern())).toEqual(['gated', 'noted', 'gated']);
    gate.open();
    await peer.linesCome(2);
  });

  it('finds the handler of an object whatever the order of its keys', async () => {
    const { path } = await serve([Watched]);
    const peer = await TextPeer.to(path);
    peer.sendLines({ id: 1, pattern: { of: [1], cmd: 'sum' } });
    expect(await peer.linesCome(1)).toEqual([{ id: 1, response: '{"of":[1],"cmd":"sum"}' }]);
  });

  it('of nest-json tells its handler the metadata, and no peer', async () => {
    const { path } = await serve([Watched]);
    const peer = await TextPeer.to(path);
    peer.sendPackets({ pattern: 'gated', data: 0, id: '1', metadata: { trace: 'a1' } });
    await until(() => contexts.length === 1, 'it runs');
    expect([contexts[0]!.getMetadata(), contexts[0]!.peer]).toEqual([{ trace: 'a1' }, undefined]);
    gate.open();
    await peer.packetsCome(1);
  });
});
