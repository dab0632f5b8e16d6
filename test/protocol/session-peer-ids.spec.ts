import { describe, expect, it } from '@jest/globals';
import { NestJsonDialect } from '../../src/protocol/dialects/nest-json.js';
import { errorOf } from '../../src/protocol/errors.js';
import { MAX_U32 } from '../../src/protocol/frame.js';
import { MIB } from './reading.js';
import { asks, packed, TextServer, textServer } from './text-server.js';

const withCode = (code: string): unknown => expect.objectContaining({ code });

describe('the id that a peer chose', () => {
  it.each([1, '1', '', 'a-2', 0, -1.5, 2 ** 40, 'ä€😀'])(
    'comes back on every answer as it came: %j',
    (id) => {
      const end = textServer();
      const { incoming } = end.session;
      const answered = (answer: () => unknown): unknown[] => {
        end.line(asks(id));
        answer();
        return end.heardLines();
      };
      expect(answered(() => incoming.respond(end.call, 1, false))).toEqual([{ id, response: 1 }]);
      expect(answered(() => incoming.respond(end.call, undefined, false))).toEqual([{ id, complete: true }]);
      expect(answered(() => incoming.next(end.call, 1, false))).toEqual([{ id, next: 1 }]);
      incoming.complete(end.call, undefined, false);
      expect(end.heardLines()).toEqual([{ id, complete: true }]);
      expect(answered(() => incoming.fail(end.call, 'no', false))).toEqual([{ id, error: 'no' }]);
      const error = { code: 'NO_HANDLER', message: 'none' };
      expect(answered(() => incoming.refuse(end.call, errorOf('NO_HANDLER', 'none')))).toEqual([
        { id, error, transport: true },
      ]);
      const unwritable = { id, error: { code: 'UNSERIALIZABLE_ANSWER' }, transport: true };
      expect(answered(() => incoming.respond(end.call, 1n, false))).toMatchObject([unwritable]);
      expect(end.line({ id, ping: true }).heardLines()).toEqual([{ id, pong: true }]);
      expect(end.calls.map((call) => call.peerId)).toEqual(end.calls.map(() => id));
    },
  );

  it.each(['f00d', 7, null, true, { of: ['Nest'] }])(
    'comes back in nest-json too, whatever it is: %j',
    (id) => {
      const end = new TextServer(new NestJsonDialect(MIB));
      end.say(packed({ pattern: 'echo', data: 1, id }));
      end.session.incoming.respond(end.call, 1, false);
      expect(end.heard()).toBe(packed({ response: 1, isDisposed: true, id }));
    },
  );

  it('is another where it is a number and a text of the same digits', () => {
    const end = textServer().line(asks(1)).line(asks('1'));
    expect(end.calls).toHaveLength(2);
    end.line({ id: '1', cancel: true });
    expect(end.calls.map(({ isOver }) => isOver)).toEqual([false, true]);
  });

  it('names the call that is cancelled, and that one alone', () => {
    const end = textServer().line(asks('a')).line(asks('b'));
    const reasons: unknown[] = [];
    for (const call of end.calls) call.onCancel = (reason) => reasons.push([call.peerId, reason]);
    end.line({ id: 'b', cancel: true }).line({ id: 'b', cancel: true }).line({ id: 'never', cancel: true });
    expect(reasons).toEqual([['b', withCode('CALL_ABORTED')]]);
    expect(end.session.incoming.size).toBe(1);
    end.session.incoming.respond(end.calls[1]!, 'late', false);
    expect(end.heard()).toBe('');
  });

  it('ends the connection where it is in use, also where the line could not be read', () => {
    for (const again of [asks('a'), { id: 'a', pattern: null }]) {
      const end = textServer().line(asks('a'));
      expect(() => end.line(again)).toThrow(withCode('ID_IN_USE'));
      expect(end.calls).toHaveLength(1);
    }
    const nest = new TextServer(new NestJsonDialect(MIB)).say(packed(asks('a')));
    expect(() => nest.say(packed(asks('a')))).toThrow(withCode('ID_IN_USE'));
  });

  it('may be used again once its call is over, however it ended', () => {
    const end = textServer();
    const { incoming } = end.session;
    const ways: (() => unknown)[] = [
      () => incoming.respond(end.call, 1, false),
      () => incoming.fail(end.call, 1, false),
      () => incoming.refuse(end.call, errorOf('NO_HANDLER', 'none')),
      () => end.line({ id: 'a', cancel: true }),
      () => end.session.expire(1e9),
    ];
    for (const way of ways) {
      end.line(asks('a', { timeoutMs: 5 }));
      way();
    }
    end.line({ id: 'a', pattern: null }).line(asks('a'));
    expect(end.calls).toHaveLength(ways.length + 1);
    expect(incoming.size).toBe(1);
  });
});

describe('the ids of this end', () => {
  it('increase with each request, wrap from 2^32-1 to 1 and skip those in use', () => {
    const end = textServer();
    const { incoming } = end.session;
    end.line(asks('first')).line(asks('second'));
    expect(end.calls.map(({ id }) => id)).toEqual([1, 2]);
    incoming.respond(end.calls[1]!, 1, false);
    incoming.lastTakenId = MAX_U32 - 1;
    for (const id of ['x', 'y', 'z']) end.line(asks(id));
    expect(end.calls.slice(2).map(({ id }) => id)).toEqual([MAX_U32, 2, 3]);
    for (const call of end.calls) incoming.respond(call, call.peerId, false);
    expect(end.heardLines()).toEqual(
      ['second', 'first', 'x', 'y', 'z'].map((id) => ({ id, response: id === 'second' ? 1 : id })),
    );
  });
});
