import { describe, expect, it } from '@jest/globals';
import { NestJsonDialect } from '../../src/protocol/dialects/nest-json.js';
import { RawDialect } from '../../src/protocol/dialects/raw.js';
import { errorOf } from '../../src/protocol/errors.js';
import { FrameType } from '../../src/protocol/frame.js';
import { ConnectionPair, connectText, message } from './connection-pair.js';
import { MIB } from './reading.js';
import { asks, TextServer, textServer } from './text-server.js';

const withCode = (code: string): unknown => expect.objectContaining({ code });

describe('a session without a hello', () => {
  it('is open at once, tells nobody limits, and writes nothing', () => {
    const pair = connectText();
    for (const end of [pair.client, pair.server]) {
      expect(end.session).toMatchObject({ hasBegun: true, isOpen: true, peer: undefined, version: 0 });
      expect(end.peers).toEqual([]);
      expect(end.dialect.pendingBytes).toBe(0);
    }
    expect(pair.client.session).toMatchObject({ canRequest: true, canEmit: true });
  });

  it('carries calls of every kind between two ends of ours', () => {
    const pair = connectText();
    const { client, server: callee } = pair;
    const { incoming } = callee.session;
    const callers = Array.from({ length: 4 }, (_, index) =>
      client.request({ payload: index, metadata: { trace: 'a1' } }),
    );
    client.emit({ pattern: 'log', payload: Buffer.from([1]) });
    pair.settle(1);
    expect(callee.calls.map(({ id, payload }) => [id, payload])).toEqual([
      [1, 0],
      [2, 1],
      [3, 2],
      [4, 3],
      [0, Buffer.from([1])],
    ]);
    const [one, two, three, four] = callee.calls as [never, never, never, never];
    incoming.respond(one, Buffer.from('bytes'), false);
    incoming.respond(two, undefined, false);
    incoming.fail(three, { no: 1 }, false);
    incoming.next(four, undefined, false);
    incoming.next(four, 'two', false);
    incoming.complete(four, undefined, false);
    pair.settle(1);
    expect(callers.map(({ heard }) => heard)).toEqual([
      [['end', Buffer.from('bytes'), false]],
      [['end', undefined, false]],
      [['fail', { no: 1 }, false]],
      [
        ['next', null, false],
        ['next', 'two', false],
        ['end', undefined, false],
      ],
    ]);
    expect(pair.client.error ?? pair.server.error).toBeUndefined();
  });

  it('lets a client cancel, ping and run out of time', () => {
    const pair = connectText();
    const cancelled = pair.client.request();
    const late = pair.client.request({ deadlineMs: 100 });
    pair.client.session.ping(77);
    pair.settle();
    const reasons: unknown[] = [];
    for (const call of pair.server.calls) call.onCancel = (reason) => reasons.push(reason);
    pair.client.session.outgoing.cancel(cancelled.call!);
    pair.client.session.expire(100);
    pair.settle();
    expect(pair.server.pongs).toEqual([77]);
    expect(reasons).toEqual([withCode('CALL_ABORTED'), withCode('CALL_ABORTED')]);
    expect(late.codes).toEqual(['DEADLINE_EXCEEDED']);
    expect(pair.server.session.incoming.size).toBe(0);
  });

  it('has no form for leaving: a server that leaves is finished with its last call', () => {
    const end = textServer().line(asks(1));
    end.session.goAway();
    expect(end.session.isFinished).toBe(false);
    end.session.incoming.respond(end.call, 'bye', false);
    expect(end.session.isFinished).toBe(true);
    const cut = textServer().line(asks(1));
    cut.session.goAwayFinally(errorOf('SERVER_CLOSING', 'now'));
    expect([end.heardLines(), cut.heardLines()]).toEqual([[{ id: 1, response: 'bye' }], []]);
  });
});

describe('the limits, which such a peer was never told', () => {
  it('refuse nothing: whoever reads asks whether they are reached', () => {
    const end = textServer({ maxInFlight: 16, maxEvents: 16 });
    const { incoming } = end.session;
    for (let id = 1; id <= 15; id++) end.line(asks(id));
    expect(incoming.isFull).toBe(false);
    end.line(asks(16));
    expect(incoming.isFull).toBe(true);
    for (let id = 17; id <= 40; id++) end.line(asks(id));
    expect(end.refusals).toEqual([]);
    expect(incoming.size).toBe(40);
    for (const call of end.calls.slice(0, 24)) incoming.respond(call, 1, false);
    expect(incoming.isFull).toBe(true);
    incoming.respond(end.calls[24]!, 1, false);
    expect(incoming.isFull).toBe(false);
  });

  it('hold for events as well, and no credit is written for those', () => {
    const end = textServer({ maxInFlight: 16, maxEvents: 16 });
    const { incoming } = end.session;
    for (let count = 0; count < 40; count++) end.line({ pattern: 'log' });
    expect(incoming).toMatchObject({ isFull: true, eventsRunning: 40 });
    for (const event of end.calls) incoming.finish(event);
    expect(incoming).toMatchObject({ isFull: false, eventsRunning: 0, served: 40 });
    expect(end.heard()).toBe('');
  });

  it('of metadata are kept: a request is refused, an event dropped', () => {
    const end = textServer({ maxMetadataBytes: 20 });
    const metadata = { trace: 'x'.repeat(20) };
    end.line(asks('m', { metadata })).line({ pattern: 'log', metadata });
    expect(end.refusals).toEqual(['METADATA_TOO_LARGE', 'METADATA_TOO_LARGE']);
    expect(end.calls).toEqual([]);
    expect(end.heardLines()).toMatchObject([
      { id: 'm', error: { code: 'METADATA_TOO_LARGE' }, transport: true },
    ]);
  });
});

describe('what can not be read', () => {
  it('is answered by its id, or by none, and what follows is served', () => {
    const end = textServer();
    end
      .say('{nope}\n')
      .line({ id: 'x', pattern: null })
      .line({ pattern: 'log', metadata: 1 })
      .line(asks('y'));
    end.session.incoming.respond(end.call, 1, false);
    const told = end.heardLines();
    expect(told).toMatchObject([
      { error: { code: 'BAD_PAYLOAD' }, transport: true },
      { id: 'x', error: { code: 'BAD_PAYLOAD' }, transport: true },
      { error: { code: 'BAD_METADATA' }, transport: true },
      { id: 'y', response: 1 },
    ]);
    expect(told.map((line) => Object.hasOwn(line as object, 'id'))).toEqual([false, true, false, true]);
    expect(end.refusals).toEqual(['BAD_PAYLOAD', 'BAD_PAYLOAD', 'BAD_METADATA']);
    expect(end.session.incoming.size).toBe(0);
  });

  /** JSON.parse takes what JSON.stringify and its stack do not. */
  const deep = `${'['.repeat(20_000)}${']'.repeat(20_000)}`;

  it('is a pattern that is nested too deep: the line is answered', () => {
    const end = textServer().say(`{"id":"x","pattern":${deep}}\n`).line(asks('y'));
    expect(end.calls).toHaveLength(1);
    expect(end.heardLines()).toMatchObject([{ id: 'x', error: { code: 'BAD_PAYLOAD' }, transport: true }]);
  });

  it('is a packet of nest-json whose pattern is nested too deep: it is answered', () => {
    const end = new TextServer(new NestJsonDialect(MIB));
    const text = `{"id":"x","pattern":${deep}}`;
    end.say(`${text.length}#${text}`);
    expect(end.calls).toHaveLength(0);
    expect(end.refusals).toEqual(['BAD_PAYLOAD']);
  });

  it('is a packet of nest-json whose id is nested too deep: no answer could name it, and the connection ends', () => {
    const end = new TextServer(new NestJsonDialect(MIB));
    const text = `{"id":${deep}}`;
    expect(() => end.say(`${text.length}#${text}`)).toThrow(withCode('BAD_FRAME'));
  });

  it('is no value that is nested as deep: it is an answer that can not be written', () => {
    const end = textServer().say(`{"id":"x","pattern":"echo","data":${deep}}\n`);
    end.session.incoming.respond(end.call, end.call.payload, false);
    expect(end.heardLines()).toMatchObject([{ id: 'x', error: { code: 'UNSERIALIZABLE_ANSWER' } }]);
  });
});

describe('the time of a call', () => {
  it('that is up before the first answer is told to a peer that chose the id', () => {
    const end = textServer().line(asks('t', { timeoutMs: 100 }), 1_000);
    const reasons: unknown[] = [];
    end.call.onCancel = (reason) => reasons.push(reason);
    end.session.expire(1_099);
    expect(end.heard()).toBe('');
    end.session.expire(1_100);
    end.session.expire(9_999);
    expect(end.heardLines()).toMatchObject([
      { id: 't', error: { code: 'DEADLINE_EXCEEDED' }, transport: true },
    ]);
    expect(reasons).toEqual([withCode('DEADLINE_EXCEEDED')]);
    expect(end.session.incoming.respond(end.call, 'late', false)).toBeUndefined();
    expect(end.heard()).toBe('');
    expect(end.session.nextDeadlineMs).toBe(Infinity);
  });

  it('is not up once it was answered', () => {
    const end = textServer().line(asks('t', { timeoutMs: 100 }));
    end.session.incoming.next(end.call, 1, false);
    end.session.expire(1e9);
    end.session.incoming.complete(end.call, undefined, false);
    expect(end.heardLines()).toEqual([
      { id: 't', next: 1 },
      { id: 't', complete: true },
    ]);
  });

  it('is not told where an id of ours was all that there was', () => {
    const pair = new ConnectionPair();
    pair.client.session.open();
    pair.settle();
    pair.client.write(message(FrameType.REQUEST, 1, { pattern: 'echo', timeoutMs: 5 }));
    pair.deliver(pair.client);
    pair.server.session.expire(1e9);
    expect(pair.server.call.isOver).toBe(true);
    expect(pair.server.dialect.pendingBytes).toBe(0);
  });
});

describe('a raw session', () => {
  it('makes each chunk a request, and writes the answers bare', () => {
    const end = new TextServer(new RawDialect('bytes'));
    end.say('one').say('two').say('');
    expect(end.calls.map(({ pattern, payload, peerId }) => [pattern, String(payload), peerId])).toEqual([
      ['bytes', 'one', undefined],
      ['bytes', 'two', undefined],
    ]);
    const { incoming } = end.session;
    incoming.respond(end.calls[0]!, { n: 1 }, false);
    incoming.next(end.calls[1]!, 'a', false);
    incoming.next(end.calls[1]!, undefined, false);
    incoming.next(end.calls[1]!, Buffer.from('b'), false);
    incoming.complete(end.calls[1]!, undefined, false);
    expect(end.heard()).toBe('{"n":1}ab');
    expect(incoming).toMatchObject({ size: 0, served: 2 });
  });
});
