import { describe, expect, it } from '@jest/globals';
import { errorOf, RemoteError, UsageError } from '../../src/protocol/errors.js';
import { FrameType } from '../../src/protocol/frame.js';
import { idAfter } from '../../src/protocol/call.js';
import { connect, message, Recorder, type ConnectionPair } from './connection-pair.js';

const remote = (code: string): unknown => expect.objectContaining({ code, name: 'RemoteError' });

interface PairWithCall extends ConnectionPair {
  readonly caller: Recorder;
}

/** A pair with one request that the server has taken. */
function withCall(caller = new Recorder()): PairWithCall {
  const pair = connect();
  pair.client.request({}, 0, caller);
  pair.settle();
  return Object.assign(pair, { caller });
}

describe('a request', () => {
  it.each([Infinity, 1])('reaches the server as it was given, in pieces of %d bytes', (pieceBytes) => {
    const pair = connect();
    pair.client.request({ pattern: 'größe', payload: { a: ['🐢'] }, metadata: { trace: 'a1' } });
    pair.settle(pieceBytes);
    expect(pair.server.call).toMatchObject({
      id: 1,
      pattern: 'größe',
      payload: { a: ['🐢'] },
      metadata: { trace: 'a1' },
      isEnveloped: false,
      isEvent: false,
      deadlineMs: Infinity,
      creditBytes: 1_000,
      isOver: false,
    });
    expect(pair.server.session.incoming.size).toBe(1);
  });

  it('may carry a packet of the application in place of a pattern', () => {
    const pair = connect();
    pair.client.request({ pattern: '', payload: { pattern: 'echo' }, isEnveloped: true });
    pair.settle();
    expect(pair.server.call).toMatchObject({ isEnveloped: true, payload: { pattern: 'echo' } });
  });

  it('is taken in the order in which it was sent, events among them', () => {
    const pair = connect();
    for (let count = 0; count < 20; count++) {
      if (count % 3 === 0) pair.client.emit({ payload: count });
      else pair.client.request({ payload: count });
    }
    pair.settle(7);
    expect(pair.server.calls.map(({ payload }) => payload)).toEqual(
      Array.from({ length: 20 }, (_, at) => at),
    );
  });

  it('that can not be written fails its caller alone, and nothing of it leaves', () => {
    const pair = connect();
    const before = pair.client.request({ payload: 'before' });
    const bad = pair.client.request({ payload: 1n });
    const proxied = pair.client.request({
      payload: new Proxy(
        {},
        {
          getPrototypeOf: () => {
            throw new Error('trap');
          },
          get: () => {
            throw new Error('trap');
          },
        },
      ),
    });
    const tooLarge = pair.client.request({ payload: 'x'.repeat(2 * 1024 ** 2) });
    const after = pair.client.request({ payload: 'after' });
    pair.settle();
    expect(bad.heard).toEqual([['fail', expect.any(UsageError), false]]);
    expect(bad.codes).toEqual(['UNSERIALIZABLE_PAYLOAD']);
    expect(proxied.codes).toEqual(['UNSERIALIZABLE_PAYLOAD']);
    expect(tooLarge.codes).toEqual(['PAYLOAD_TOO_LARGE']);
    expect([bad.call, proxied.call, tooLarge.call]).toEqual([undefined, undefined, undefined]);
    expect(pair.client.session.outgoing.size).toBe(2);
    expect(pair.server.calls.map(({ payload }) => payload)).toEqual(['before', 'after']);
    expect([before.heard, after.heard]).toEqual([[], []]);
  });
});

describe('an answer', () => {
  it.each<[string, unknown]>([
    ['a string', 'hello'],
    ['undefined', undefined],
    ['null', null],
    ['an object', { a: [1] }],
    ['bytes', Buffer.from([0, 255])],
    ['an empty string', ''],
  ])('of one value ends the call: %s', (_name, value) => {
    const pair = withCall();
    const { caller, client, server } = pair;
    expect(server.session.incoming.respond(server.call, value, false)).toBeUndefined();
    pair.settle();
    expect(caller.heard).toEqual([['end', value, false]]);
    expect(caller.call).toMatchObject({ isOver: true });
    expect(server.call.isOver).toBe(true);
    expect(server.session.incoming).toMatchObject({ size: 0, served: 1 });
    expect(client.session.outgoing.size).toBe(0);
    expect(server.frames.slice(1)).toEqual(['RESPONSE 1']);
  });

  it('of many values ends with COMPLETE', () => {
    const pair = withCall();
    const { server, caller } = pair;
    const { incoming } = server.session;
    for (const value of ['one', undefined, { n: 3 }]) incoming.next(server.call, value, false);
    incoming.complete(server.call, undefined, false);
    pair.settle(1);
    expect(caller.heard).toEqual([
      ['next', 'one', false],
      ['next', undefined, false],
      ['next', { n: 3 }, false],
      ['end', undefined, false],
    ]);
    expect(caller.wireBytes).toEqual([13, 10, 17]);
    expect(server.frames.slice(1)).toEqual(['NEXT 1', 'NEXT 1', 'NEXT 1', 'COMPLETE 1']);
  });

  it('may be packets of the application: each says so', () => {
    const pair = withCall();
    const { server, client, caller } = pair;
    const { incoming } = server.session;
    const second = client.request();
    const third = client.request();
    pair.settle();
    incoming.next(server.calls[0]!, { response: 1 }, true);
    incoming.complete(server.calls[0]!, { isDisposed: true }, true);
    incoming.respond(server.calls[1]!, { response: 2, isDisposed: true }, true);
    incoming.fail(server.calls[2]!, { err: 'no' }, true);
    pair.settle();
    expect(caller.heard).toEqual([
      ['next', { response: 1 }, true],
      ['end', { isDisposed: true }, true],
    ]);
    expect(second.heard).toEqual([['end', { response: 2, isDisposed: true }, true]]);
    expect(third.heard).toEqual([['fail', { err: 'no' }, true]]);
  });

  it.each<[string, unknown]>([
    ['an object', { status: 'error', message: 'no stock' }],
    ['what looks like an error of the transport', { code: 'NO_HANDLER', message: 'none' }],
    ['a string', 'boom'],
    ['nothing', undefined],
    ['bytes', Buffer.from([1])],
  ])('may be an error of the handler, verbatim: %s', (_name, error) => {
    const pair = withCall();
    pair.server.session.incoming.fail(pair.server.call, error, false);
    pair.settle();
    expect(pair.caller.heard).toEqual([['fail', error, false]]);
    expect(pair.server.session.incoming.served).toBe(1);
  });

  it('may be an error of the transport, by its code', () => {
    const pair = withCall();
    const cancelled: unknown[] = [];
    pair.server.call.onCancel = (reason) => cancelled.push(reason);
    const refusal = errorOf('NO_HANDLER', 'none', new Error('with secrets'));
    pair.server.session.incoming.refuse(pair.server.call, refusal);
    pair.server.session.incoming.refuse(pair.server.call, refusal);
    pair.settle();
    expect(pair.caller.heard).toEqual([['fail', expect.any(RemoteError), false]]);
    expect(pair.caller.heard[0]![1]).toMatchObject({ code: 'NO_HANDLER', message: 'none' });
    expect(pair.caller.heard[0]![1]).not.toHaveProperty('cause');
    expect(pair.server.sentOf('ERROR')).toMatchObject([
      { isTransportError: true, payload: { code: 'NO_HANDLER', message: 'none' } },
    ]);
    expect(cancelled).toEqual([refusal]);
  });

  it('with a code of a later version says so, and keeps its text', () => {
    const pair = withCall();
    const payload = { code: 'TOO_TIRED', message: 'ask tomorrow' };
    pair.server.write(message(FrameType.ERROR, 1, { isTransportError: true, payload }));
    pair.settle();
    expect(pair.caller.heard).toMatchObject([
      ['fail', { code: 'UNKNOWN_REMOTE_ERROR', message: 'TOO_TIRED: ask tomorrow' }, false],
    ]);
  });

  it('after the last one is ignored, and so is one for a call that never was', () => {
    const pair = withCall();
    const { server, caller } = pair;
    server.session.incoming.respond(server.call, 'first', false);
    for (const type of ['RESPONSE', 'NEXT', 'COMPLETE', 'ERROR'] as const) {
      for (const id of [1, 77]) server.write(message(FrameType[type], id));
    }
    pair.settle();
    expect(caller.heard).toEqual([['end', 'first', false]]);
    expect(pair.client.error).toBeUndefined();
    expect(pair.client.frames).toEqual(['CLIENT_HELLO 0', 'REQUEST 1']);
  });

  it('after the last one is not written', () => {
    const pair = withCall();
    const { server } = pair;
    const { incoming } = server.session;
    incoming.respond(server.call, 'first', false);
    expect(incoming.respond(server.call, 1n, false)).toBeUndefined();
    expect(incoming.next(server.call, 'more', false)).toBeUndefined();
    expect(incoming.complete(server.call, undefined, false)).toBeUndefined();
    expect(incoming.fail(server.call, 'no', false)).toBeUndefined();
    incoming.refuse(server.call, errorOf('NO_HANDLER', 'none'));
    pair.settle();
    expect(server.frames.slice(1)).toEqual(['RESPONSE 1']);
    expect(incoming.served).toBe(1);
  });

  it('ends a call before the caller hears of it: a connection told so may start the next', () => {
    const sizes: number[] = [];
    const pair: PairWithCall = withCall(new Recorder(() => sizes.push(pair.client.session.outgoing.size)));
    const { client, server } = pair;
    const freed = client.freedTimes;
    server.session.incoming.respond(server.call, 1, false);
    pair.settle();
    expect(client.freedTimes).toBe(freed + 1);
    expect(sizes).toEqual([0]);
  });
});

describe('an answer that can not be written', () => {
  it.each<[string, (pair: ConnectionPair) => unknown, string]>([
    ['a value', (p) => p.server.session.incoming.respond(p.server.call, 1n, false), 'UNSERIALIZABLE_ANSWER'],
    [
      'a last packet',
      (p) => p.server.session.incoming.complete(p.server.call, 1n, true),
      'UNSERIALIZABLE_ANSWER',
    ],
    [
      'an error',
      (p) => p.server.session.incoming.fail(p.server.call, { e: 1n }, false),
      'UNSERIALIZABLE_ANSWER',
    ],
    [
      'a function',
      (p) => p.server.session.incoming.respond(p.server.call, () => 1, false),
      'UNSERIALIZABLE_ANSWER',
    ],
    [
      'a long value',
      (p) => p.server.session.incoming.respond(p.server.call, 'x'.repeat(2e6), false),
      'ANSWER_TOO_LARGE',
    ],
    [
      'a long error',
      (p) => p.server.session.incoming.fail(p.server.call, 'x'.repeat(2e6), false),
      'ANSWER_TOO_LARGE',
    ],
  ])('ends the call with a code, and gives it to whoever answered: %s', (_name, answer, code) => {
    const pair = withCall();
    const cancelled: unknown[] = [];
    pair.server.call.onCancel = (reason) => cancelled.push(reason);
    expect(answer(pair)).toEqual(remote(code));
    pair.settle();
    expect(pair.caller.heard).toEqual([['fail', remote(code), false]]);
    expect(pair.server.frames.slice(1)).toEqual(['ERROR 1']);
    expect(pair.server.session.incoming.size).toBe(0);
    expect(cancelled).toEqual([]);
  });

  it.each<[string, unknown, string]>([
    ['no JSON', 1n, 'UNSERIALIZABLE_ANSWER'],
    ['too long', 'x'.repeat(2e6), 'ANSWER_TOO_LARGE'],
  ])('ends a stream in its middle, and stops what gives the values: %s', (_name, value, code) => {
    const pair = withCall();
    const { server, caller } = pair;
    const { incoming } = server.session;
    const cancelled: unknown[] = [];
    server.call.onCancel = (reason) => cancelled.push(reason);
    incoming.next(server.call, 'fine', false);
    expect(incoming.next(server.call, value, false)).toEqual(remote(code));
    expect(incoming.next(server.call, 'late', false)).toBeUndefined();
    pair.settle();
    expect(caller.heard).toEqual([
      ['next', 'fine', false],
      ['fail', remote(code), false],
    ]);
    expect(cancelled).toEqual([remote(code)]);
    expect(server.call.isOver).toBe(true);
  });

  it('holds for answers that one client takes and another does not', () => {
    const pair = connect({ client: { maxFrameBytes: 65_536 } });
    const callers = [pair.client.request(), pair.client.request()];
    pair.settle();
    const { incoming } = pair.server.session;
    incoming.respond(pair.server.calls[0]!, 'x'.repeat(65_537), false);
    incoming.respond(pair.server.calls[1]!, 'x'.repeat(65_536), false);
    pair.settle();
    expect(callers.map(({ codes }) => codes)).toEqual([['ANSWER_TOO_LARGE'], []]);
    expect(callers[0]!.heard[0]![1]).toMatchObject({ message: expect.stringContaining('65537') });
  });

  it('ends the call whatever stood in the way of writing it', () => {
    const pair = withCall();
    const { server } = pair;
    let throws = 1;
    const write = server.write.bind(server);
    server.write = (each) => {
      if (throws-- > 0) throw new TypeError('something else');
      return write(each);
    };
    expect(server.session.incoming.respond(server.call, 1, false)).toEqual(remote('UNSERIALIZABLE_ANSWER'));
    pair.settle();
    expect(pair.caller.heard).toEqual([['fail', remote('UNSERIALIZABLE_ANSWER'), false]]);
    expect(pair.caller.heard[0]![1]).toMatchObject({ message: expect.not.stringContaining('something') });
  });
});

describe('an answer that can not be read', () => {
  /** Frames by hand: their payload says that it is JSON, and is not. */
  const broken = (pair: ConnectionPair, type: number): void => {
    const bytes = Buffer.from('000000010000000100017b', 'hex');
    bytes[8] = type;
    pair.client.dialect.decode(bytes, (each) => pair.client.session.receive(each, 0));
  };

  it.each(['RESPONSE', 'ERROR'] as const)('ends the call, and needs no word to the server: %s', (type) => {
    const pair = withCall();
    broken(pair, FrameType[type]);
    expect(pair.caller.heard).toEqual([['fail', remote('BAD_PAYLOAD'), false]]);
    expect(pair.client.session.outgoing.size).toBe(0);
    pair.settle();
    expect(pair.client.frames.slice(1)).toEqual(['REQUEST 1']);
  });

  it('in mid-stream stops the server too', () => {
    const pair = withCall();
    const cancelled: unknown[] = [];
    pair.server.call.onCancel = (reason) => cancelled.push(reason);
    broken(pair, FrameType.NEXT);
    broken(pair, FrameType.NEXT);
    expect(pair.caller.heard).toEqual([['fail', remote('BAD_PAYLOAD'), false]]);
    pair.settle();
    expect(pair.client.frames.slice(1)).toEqual(['REQUEST 1', 'CANCEL 1']);
    expect(cancelled).toHaveLength(1);
  });
});

describe('ids', () => {
  const ids = (pair: ConnectionPair): number[] => pair.client.sentOf('REQUEST').map(({ id }) => id);

  it('begin with 1 and increase, whatever has ended since', () => {
    const pair = connect();
    for (let count = 0; count < 5; count++) {
      pair.client.request();
      pair.settle();
      pair.server.session.incoming.respond(pair.server.call, 1, false);
      pair.settle();
    }
    expect(ids(pair)).toEqual([1, 2, 3, 4, 5]);
  });

  it('wrap from 2^32-1 to 1: never 0', () => {
    const pair = connect({ client: { firstId: 2 ** 32 - 2 } });
    for (let count = 0; count < 4; count++) pair.client.request({ payload: count });
    pair.settle();
    expect(ids(pair)).toEqual([2 ** 32 - 2, 2 ** 32 - 1, 1, 2]);
    expect(pair.server.calls.map(({ payload }) => payload)).toEqual([0, 1, 2, 3]);
  });

  it.each([
    [1, [1, 2, 4], 3],
    [0, [], 1],
    [2 ** 32 - 2, [], 2 ** 32 - 1],
    [2 ** 32 - 1, [], 1],
    [2 ** 32 - 3, [2 ** 32 - 2, 2 ** 32 - 1, 1, 2], 3],
  ])('skip those in use: after %d, with %j in use, comes %d', (id, inUse, next) => {
    expect(idAfter(id, new Map(inUse.map((each) => [each, undefined])))).toBe(next);
  });

  it('are not used again early: not those of calls that ended, were cancelled or could not be written', () => {
    const pair = connect();
    const { client } = pair;
    const { outgoing } = client.session;
    const cancelled = client.request();
    outgoing.cancel(cancelled.call!);
    client.request({ payload: 1n });
    const kept = client.request();
    expect(kept.call!.id).toBeGreaterThan(cancelled.call!.id);
    const next = client.request();
    expect(next.call!.id).toBe(kept.call!.id + 1);
    pair.settle();
    expect(new Set(ids(pair)).size).toBe(3);
  });

  it('that are in use end the connection when used for a second request', () => {
    const pair = withCall();
    const cancelled: unknown[] = [];
    pair.server.call.onCancel = (reason) => cancelled.push(reason);
    pair.client.write(message(FrameType.REQUEST, 1, { pattern: 'echo' }));
    pair.settle();
    expect(pair.server.error?.code).toBe('ID_IN_USE');
    expect(pair.server.calls).toHaveLength(1);
    expect(cancelled).toEqual([pair.server.error]);
    expect(pair.caller.codes).toEqual(['CONNECTION_LOST']);
  });

  it('may be used again once their call is over', () => {
    const pair = withCall();
    pair.server.session.incoming.respond(pair.server.call, 1, false);
    pair.settle();
    pair.client.write(message(FrameType.REQUEST, 1, { pattern: 'again' }));
    pair.settle();
    expect(pair.server.error).toBeUndefined();
    expect(pair.server.calls).toHaveLength(2);
  });
});

describe('cancelling', () => {
  it('tells the peer once, tells the caller nothing, and nothing is sent or heard after it', () => {
    const pair = withCall();
    const { client, server, caller } = pair;
    const { outgoing } = client.session;
    const reasons: unknown[] = [];
    server.call.onCancel = (reason) => reasons.push(reason);
    server.session.incoming.next(server.call, 'one', false);
    pair.settle();
    const freed = client.freedTimes;

    outgoing.cancel(caller.call!);
    outgoing.cancel(caller.call!);
    outgoing.consume(caller.call!, 100_000);
    expect(client.freedTimes).toBe(freed + 1);
    // crosses the CANCEL: answers that were under way already
    server.session.incoming.next(server.call, 'two', false);
    pair.deliver(server);
    pair.settle();

    expect(client.frames.slice(1)).toEqual(['REQUEST 1', 'CANCEL 1']);
    expect(caller.heard).toEqual([['next', 'one', false]]);
    expect(reasons).toEqual([expect.objectContaining({ code: 'CALL_ABORTED' })]);
    expect(server.session.incoming.next(server.call, 'three', false)).toBeUndefined();
    server.session.incoming.complete(server.call, undefined, false);
    pair.settle();
    expect(server.frames.slice(1)).toEqual(['NEXT 1', 'NEXT 1']);
    expect(server.call.isOver).toBe(true);
    expect(server.session.incoming.size).toBe(0);
  });

  it('ignores an answer that crosses it', () => {
    const pair = withCall();
    pair.client.session.outgoing.cancel(pair.caller.call!);
    pair.server.session.incoming.respond(pair.server.call, 'late', false);
    pair.settle();
    expect(pair.caller.heard).toEqual([]);
    expect(pair.server.session.incoming.size).toBe(0);
  });

  it.each<[string, (pair: ConnectionPair) => void]>([
    ['a value', ({ server }) => server.session.incoming.respond(server.call, 1, false)],
    ['COMPLETE', ({ server }) => server.session.incoming.complete(server.call, undefined, false)],
    ['an error', ({ server }) => server.session.incoming.fail(server.call, 'no', false)],
  ])('on hearing the end, as firstValueFrom does, sends no CANCEL: %s', (_name, end) => {
    const pair: PairWithCall = withCall(
      new Recorder((recorder) => pair.client.session.outgoing.cancel(recorder.call!)),
    );
    end(pair);
    pair.settle();
    expect(pair.caller.heard).toHaveLength(1);
    expect(pair.client.frames.slice(1)).toEqual(['REQUEST 1']);
  });

  it('on a value of a stream stops it, though more lie in the same chunk', () => {
    const pair: PairWithCall = withCall(
      new Recorder((recorder) => pair.client.session.outgoing.cancel(recorder.call!)),
    );
    const { server, client } = pair;
    for (const value of [1, 2, 3]) server.session.incoming.next(server.call, value, false);
    server.session.incoming.complete(server.call, undefined, false);
    pair.settle();
    expect(pair.caller.heard).toEqual([['next', 1, false]]);
    expect(client.frames.slice(1)).toEqual(['REQUEST 1', 'CANCEL 1']);
  });

  it('of a call that is over, or never was, is a normal race for the server', () => {
    const pair = withCall();
    const { server, client } = pair;
    const cancelled: unknown[] = [];
    server.call.onCancel = (reason) => cancelled.push(reason);
    server.session.incoming.respond(server.call, 1, false);
    for (const id of [0, 1, 99]) client.write(message(FrameType.CANCEL, id));
    client.write(message(FrameType.CREDIT, 1, { credit: 5 }));
    client.write(message(FrameType.CREDIT, 99, { credit: 5 }));
    pair.settle();
    expect(server.error).toBeUndefined();
    expect(cancelled).toEqual([]);
  });

  it('reaches the call that it names alone', () => {
    const pair = withCall();
    const other = pair.client.request();
    pair.settle();
    pair.client.session.outgoing.cancel(pair.caller.call!);
    pair.settle();
    expect(pair.server.calls.map(({ isOver }) => isOver)).toEqual([true, false]);
    pair.server.session.incoming.respond(pair.server.calls[1]!, 2, false);
    pair.settle();
    expect(other.heard).toEqual([['end', 2, false]]);
  });
});

describe('an event', () => {
  it('reaches the server and has no answer, whatever is tried', () => {
    const pair = connect();
    pair.client.emit({ pattern: 'log', payload: Buffer.from('abc'), metadata: { k: 'v' } });
    pair.settle();
    const { server } = pair;
    expect(server.call).toMatchObject({
      id: 0,
      isEvent: true,
      pattern: 'log',
      payload: Buffer.from('abc'),
      metadata: { k: 'v' },
      creditBytes: 0,
    });
    const { incoming } = server.session;
    expect(incoming.respond(server.call, 1, false)).toBeUndefined();
    expect(incoming.next(server.call, 1, false)).toBeUndefined();
    expect(incoming.complete(server.call, undefined, false)).toBeUndefined();
    expect(incoming.fail(server.call, 1, false)).toBeUndefined();
    incoming.refuse(server.call, errorOf('NO_HANDLER', 'none'));
    expect(server.dialect.pendingBytes).toBe(0);
    pair.settle();
    expect(server.frames).toEqual(['SERVER_HELLO 0']);
    expect(server.call.isOver).toBe(false);
    expect(incoming).toMatchObject({ size: 0, eventsRunning: 1 });
    incoming.finish(server.call);
    incoming.finish(server.call);
    expect(incoming).toMatchObject({ eventsRunning: 0, served: 1 });
  });

  it('that can not be written throws, and costs no credit', () => {
    const pair = connect({ server: { maxEvents: 16 } });
    for (let count = 0; count < 30; count++) {
      expect(() => pair.client.emit({ payload: 1n })).toThrow(
        expect.objectContaining({ code: 'UNSERIALIZABLE_PAYLOAD' }),
      );
    }
    expect(pair.client.session.canEmit).toBe(true);
    pair.settle();
    expect(pair.server.calls).toEqual([]);
  });
});
