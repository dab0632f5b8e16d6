import { describe, expect, it } from '@jest/globals';
import { MAX_U32 } from '../../src/protocol/frame.js';
import { connect, Recorder, type ConnectionPair } from './connection-pair.js';

const timedOut = expect.objectContaining({ code: 'DEADLINE_EXCEEDED' });

describe('the time left', () => {
  it.each([
    ['no limit', 500, Infinity, 0],
    ['the rest of it', 500, 1_500, 1_000],
    ['a part of a millisecond, rounded up', 500, 510.2, 11],
    ['1 where it is up as the frame is written: 0 would be no limit', 500, 400, 1],
    ['what a u32 holds', 0, 1e12, MAX_U32],
  ])('travels as %s, computed when the frame is written', (_name, nowMs, deadlineMs, timeoutMs) => {
    const pair = connect();
    pair.client.request({ deadlineMs }, nowMs);
    pair.client.emit({ deadlineMs }, nowMs);
    pair.settle();
    expect(pair.client.sentOf('REQUEST', 'EVENT').map((each) => each.timeoutMs)).toEqual([
      timeoutMs,
      timeoutMs,
    ]);
  });

  it('becomes a deadline on the clock of the server', () => {
    const pair = connect();
    pair.nowMs = 70_000;
    pair.client.request({ deadlineMs: 1_500 }, 500);
    pair.client.request();
    pair.client.emit({ deadlineMs: 1_600 }, 500);
    pair.settle();
    expect(pair.server.calls.map(({ deadlineMs }) => deadlineMs)).toEqual([71_000, Infinity, 71_100]);
  });
});

/** A request with 100 ms to go, taken by the server at 0. */
function withCall(caller = new Recorder()): ConnectionPair & { caller: Recorder; reasons: unknown[] } {
  const pair = connect();
  const reasons: unknown[] = [];
  pair.client.request({ deadlineMs: 100 }, 0, caller);
  pair.settle();
  pair.server.call.onCancel = (reason) => reasons.push(reason);
  return Object.assign(pair, { caller, reasons });
}

describe('a call whose time is up', () => {
  it('fails its caller and cancels it at the server', () => {
    const pair = withCall();
    pair.client.session.expire(99.9);
    expect(pair.caller.heard).toEqual([]);
    pair.client.session.expire(100);
    pair.client.session.expire(200);
    expect(pair.caller.heard).toEqual([['fail', timedOut, false]]);
    pair.settle();
    expect(pair.client.frames.slice(1)).toEqual(['REQUEST 1', 'CANCEL 1']);
    expect(pair.reasons).toEqual([expect.objectContaining({ code: 'CALL_ABORTED' })]);
    expect(pair.client.session.outgoing.size).toBe(0);
  });

  it('is stopped by the server itself, which then sends nothing for it', () => {
    const pair = withCall();
    const { session, call } = pair.server;
    session.expire(99.9);
    expect(call.isOver).toBe(false);
    session.expire(100);
    session.expire(200);
    expect(pair.reasons).toEqual([timedOut]);
    expect(call.isOver).toBe(true);
    expect(session.incoming.respond(call, 'late', false)).toBeUndefined();
    pair.settle();
    expect(pair.server.frames).toEqual(['SERVER_HELLO 0']);
    expect(session.incoming.size).toBe(0);
  });

  it('on both ends at once is heard of once', () => {
    const pair = withCall();
    pair.expire(100);
    pair.settle();
    pair.expire(300);
    expect(pair.caller.heard).toEqual([['fail', timedOut, false]]);
    expect(pair.reasons).toEqual([timedOut]);
  });

  it('ignores the answer that comes too late', () => {
    const pair = withCall();
    pair.server.session.incoming.respond(pair.server.call, 'late', false);
    pair.client.session.expire(100);
    pair.settle();
    expect(pair.caller.heard).toEqual([['fail', timedOut, false]]);
  });

  it('makes room for others', () => {
    const pair = withCall();
    const freed = [pair.client.freedTimes, pair.server.freedTimes];
    pair.expire(100);
    expect([pair.client.freedTimes, pair.server.freedTimes]).toEqual(freed.map((times) => times + 1));
  });

  it('is not one that has been answered: the limit is to the first answer', () => {
    const pair = withCall();
    pair.server.session.incoming.next(pair.server.call, 'one', false);
    pair.settle();
    pair.expire(1e9);
    pair.server.session.incoming.next(pair.server.call, 'two', false);
    pair.server.session.incoming.complete(pair.server.call, undefined, false);
    pair.settle();
    expect(pair.caller.heard.map(([kind]) => kind)).toEqual(['next', 'next', 'end']);
    expect(pair.reasons).toEqual([]);
  });

  it('is not an event: it runs to its end', () => {
    const pair = connect();
    pair.client.emit({ deadlineMs: 100 }, 0);
    pair.settle();
    pair.expire(1e9);
    expect(pair.server.call.isOver).toBe(false);
    expect(pair.server.session.incoming.eventsRunning).toBe(1);
  });

  it('is not one that ended before', () => {
    const pair = withCall();
    pair.server.session.incoming.respond(pair.server.call, 'in time', false);
    pair.settle();
    pair.expire(1e9);
    pair.settle();
    expect(pair.caller.heard).toEqual([['end', 'in time', false]]);
    expect(pair.client.frames.slice(1)).toEqual(['REQUEST 1']);
  });

  it('may lead to another: what the caller then asks for is kept', () => {
    const pair: ConnectionPair = withCall(
      new Recorder((recorder) => {
        if (recorder.heard.length === 1) pair.client.request({ deadlineMs: 250 }, 100, recorder);
      }),
    );
    pair.client.session.expire(100);
    expect(pair.client.session.nextDeadlineMs).toBe(250);
    pair.client.session.expire(250);
    pair.settle();
    expect(pair.client.frames.slice(1)).toEqual(['REQUEST 1', 'CANCEL 1', 'REQUEST 2', 'CANCEL 2']);
  });
});

describe('the next deadline', () => {
  it('is none where no call has one', () => {
    const pair = connect();
    pair.client.request();
    pair.client.emit({ deadlineMs: 5 });
    pair.settle();
    expect([pair.client.session.nextDeadlineMs, pair.server.session.nextDeadlineMs]).toEqual([
      Infinity,
      Infinity,
    ]);
  });

  it('is the earliest of all, in whatever order they were made', () => {
    const pair = connect();
    const callers = [300, 100, Infinity, 200, 400].map((deadlineMs) => pair.client.request({ deadlineMs }));
    pair.settle();
    const { client, server } = pair;
    const next = (): number[] => [client.session.nextDeadlineMs, server.session.nextDeadlineMs];
    expect(next()).toEqual([100, 100]);
    pair.expire(100);
    expect(next()).toEqual([200, 200]);
    pair.expire(350);
    expect(next()).toEqual([400, 400]);
    expect(callers.map(({ codes }) => codes.length)).toEqual([1, 1, 0, 1, 0]);
    expect(server.calls.map(({ isOver }) => isOver)).toEqual([true, true, false, true, false]);
    pair.expire(400);
    expect(next()).toEqual([Infinity, Infinity]);
    expect(callers[2]!.heard).toEqual([]);
  });

  it('may be earlier than needed after a call has ended, and never later', () => {
    const pair = withCall();
    pair.client.request({ deadlineMs: 500 });
    pair.settle();
    pair.server.session.incoming.respond(pair.server.calls[0]!, 1, false);
    pair.settle();
    expect(pair.client.session.nextDeadlineMs).toBeLessThanOrEqual(500);
    pair.expire(100);
    expect([pair.client.session.nextDeadlineMs, pair.server.session.nextDeadlineMs]).toEqual([500, 500]);
  });

  it('counts no call that was answered', () => {
    const pair = withCall();
    pair.client.request({ deadlineMs: 500 });
    pair.settle();
    pair.server.session.incoming.next(pair.server.calls[0]!, 1, false);
    pair.settle();
    pair.expire(100);
    expect([pair.client.session.nextDeadlineMs, pair.server.session.nextDeadlineMs]).toEqual([500, 500]);
  });

  it('is known as the request is written: writing may flush, and who flushes watches the deadline', () => {
    const pair = connect();
    const seen: [number, number][] = [];
    const { client } = pair;
    const write = client.write.bind(client);
    client.write = (each) => {
      seen.push([client.session.nextDeadlineMs, client.session.outgoing.size]);
      return write(each);
    };
    client.request({ deadlineMs: 70 });
    expect(seen).toEqual([[70, 1]]);
    const bad = client.request({ deadlineMs: 60, payload: 1n });
    expect(client.session.outgoing.size).toBe(1);
    client.session.expire(65);
    expect(bad.codes).toEqual(['UNSERIALIZABLE_PAYLOAD']);
    expect(client.session.nextDeadlineMs).toBe(70);
  });

  it('costs nothing to ask for too early', () => {
    const pair = withCall();
    pair.expire(50);
    expect(pair.client.session.nextDeadlineMs).toBe(100);
    expect(pair.caller.heard).toEqual([]);
  });
});
