import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { typeName } from '../conformance/vectors.js';
import type { IncomingCall } from '../../src/protocol/call.js';
import { errorOf } from '../../src/protocol/errors.js';
import { ConnectionPair, Recorder } from './connection-pair.js';

const TIME_BOX = { interruptAfterTimeLimit: 2_000, numRuns: 1_000 };

/** What one step does; `which` chooses among the calls there are, `amount` how many bytes or how much time. */
const KINDS = [
  ...['request', 'request', 'requestBriefly', 'requestBadly', 'cancelOnHearing', 'emit'],
  ...['respond', 'next', 'next', 'nextBadly', 'respondBadly', 'complete', 'fail', 'refuse', 'finish'],
  ...['cancel', 'consume', 'expireClient', 'expireServer', 'ping'],
  ...['clientToServer', 'clientToServer', 'serverToClient', 'serverToClient', 'settle'],
] as const;
const ENDS = ['leaveClient', 'leaveServer', 'leaveFinally', 'cutClient', 'cutServer'] as const;

type Kind = (typeof KINDS)[number] | (typeof ENDS)[number];

const step = fc.record({
  kind: fc.oneof(
    { weight: 30, arbitrary: fc.constantFrom<Kind>(...KINDS) },
    { weight: 1, arbitrary: fc.constantFrom<Kind>(...ENDS) },
  ),
  which: fc.nat(),
  amount: fc.integer({ min: 1, max: 60 }),
});
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

/** A caller that forbids itself to hear anything once it has heard the last, or has cancelled. */
class StrictCaller extends Recorder {
  isCancelled = false;
  ends = 0;

  constructor(private readonly cancels: ((caller: StrictCaller) => void) | undefined) {
    super(() => undefined);
  }

  override next(value: unknown, isEnveloped: boolean, wireBytes: number): void {
    this.#check();
    super.next(value, isEnveloped, wireBytes);
    this.cancels?.(this);
  }

  override end(value: unknown, isEnveloped: boolean): void {
    this.#last();
    super.end(value, isEnveloped);
  }

  override fail(error: unknown, isEnveloped: boolean): void {
    this.#last();
    super.fail(error, isEnveloped);
  }

  #last(): void {
    this.#check();
    this.ends += 1;
    this.cancels?.(this);
  }

  #check(): void {
    if (this.ends > 0) throw new Error('A caller heard something after the last.');
    if (this.isCancelled) throw new Error('A caller heard something after it had cancelled.');
  }
}

/** One run: a pair, all callers, all that was told of the calls that the server took. */
class Run {
  readonly pair: ConnectionPair;
  readonly callers: StrictCaller[] = [];
  readonly cancels = new Map<IncomingCall, number>();
  readonly #prepared = new Set<IncomingCall>();
  cut = false;

  constructor(firstId: number) {
    this.pair = new ConnectionPair({
      client: { firstId, streamCreditBytes: 60 },
      server: { maxInFlight: 16, maxEvents: 16 },
    });
    this.pair.client.session.open();
  }

  take({ kind, which, amount }: Step): void {
    const { client, server } = this.pair;
    const { incoming } = server.session;
    const caller = this.callers.at(which % Math.max(1, this.callers.length));
    const requests = server.calls.filter(({ isEvent }) => !isEvent);
    const call = requests.at(which % Math.max(1, requests.length));
    const wasOver = call?.isOver === true;
    const pendingBefore = server.dialect.pendingFrames;
    const answer = (act: (call: IncomingCall) => unknown): void => {
      if (call === undefined) return;
      act(call);
      if (wasOver && server.dialect.pendingFrames > pendingBefore)
        throw new Error('Something was written for a call that was over.');
    };
    switch (kind) {
      case 'request':
        this.#request(Infinity, which, undefined);
        break;
      case 'requestBriefly':
        this.#request(this.pair.nowMs + amount, which, undefined);
        break;
      case 'requestBadly':
        this.#request(Infinity, 1n, undefined);
        break;
      case 'cancelOnHearing':
        this.#request(Infinity, which, (each) => this.#cancel(each));
        break;
      case 'emit':
        if (client.session.canEmit) client.emit({ payload: which });
        break;
      case 'respond':
        answer((each) => incoming.respond(each, which, false));
        break;
      case 'respondBadly':
        answer((each) => incoming.respond(each, 1n, false));
        break;
      case 'next':
        answer((each) => each.creditBytes > 0 && incoming.next(each, 'x'.repeat(amount), false));
        break;
      case 'nextBadly':
        answer((each) => incoming.next(each, 1n, false));
        break;
      case 'complete':
        answer((each) => incoming.complete(each, undefined, false));
        break;
      case 'fail':
        answer((each) => incoming.fail(each, 'no', false));
        break;
      case 'refuse':
        answer((each) => incoming.refuse(each, errorOf('NO_HANDLER', 'none')));
        break;
      case 'finish': {
        const events = server.calls.filter(({ isEvent }) => isEvent);
        if (events.length > 0) incoming.finish(events[which % events.length]!);
        break;
      }
      case 'cancel':
        if (caller !== undefined) this.#cancel(caller);
        break;
      case 'consume':
        if (caller?.call !== undefined) client.session.outgoing.consume(caller.call, amount);
        break;
      case 'expireClient':
        this.pair.nowMs += amount;
        client.session.expire(this.pair.nowMs);
        break;
      case 'expireServer':
        this.pair.nowMs += amount;
        server.session.expire(this.pair.nowMs);
        break;
      case 'ping':
        if (client.session.isOpen) client.session.ping(amount);
        break;
      case 'clientToServer':
        this.pair.deliver(client, amount, 1 + (which % 9));
        break;
      case 'serverToClient':
        this.pair.deliver(server, amount, 1 + (which % 9));
        break;
      case 'settle':
        this.pair.settle(1 + amount);
        break;
      case 'leaveClient':
        client.session.goAway();
        break;
      case 'leaveServer':
        server.session.goAway();
        break;
      case 'leaveFinally':
        server.session.goAwayFinally(errorOf('SERVER_CLOSING', 'bye'));
        break;
      case 'cutClient':
      case 'cutServer':
        this.end();
    }
    this.#watch();
  }

  /** The connection is lost. */
  end(): void {
    this.cut = true;
    for (const end of [this.pair.client, this.pair.server]) end.cut(errorOf('CONNECTION_LOST', 'cut'));
    this.#watch();
  }

  #request(
    deadlineMs: number,
    payload: unknown,
    cancels: ((caller: StrictCaller) => void) | undefined,
  ): void {
    const { client } = this.pair;
    if (!client.session.canRequest) return;
    const caller = new StrictCaller(cancels);
    this.callers.push(caller);
    client.request({ deadlineMs, payload }, this.pair.nowMs, caller);
  }

  #cancel(caller: StrictCaller): void {
    if (caller.call === undefined) return;
    if (!caller.call.isOver) caller.isCancelled = true;
    this.pair.client.session.outgoing.cancel(caller.call);
  }

  /** Listens to the calls that were taken since. */
  #watch(): void {
    for (const call of this.pair.server.calls) {
      if (this.#prepared.has(call)) continue;
      this.#prepared.add(call);
      call.onCancel = () => this.cancels.set(call, (this.cancels.get(call) ?? 0) + 1);
    }
  }
}

const LAST = ['RESPONSE', 'COMPLETE', 'ERROR'];

describe('whatever order things happen in', () => {
  const runs = fc.tuple(fc.constantFrom(1, 2 ** 32 - 3), fc.array(step, { maxLength: 120, size: 'max' }));

  const after = (firstId: number, steps: readonly Step[]): Run => {
    const run = new Run(firstId);
    for (const each of steps) run.take(each);
    if (!run.cut) run.pair.settle();
    return run;
  };

  it('neither end breaks the protocol', () => {
    fc.assert(
      fc.property(runs, ([firstId, steps]) => {
        const { client, server } = after(firstId, steps).pair;
        expect([client.error, server.error]).toEqual([undefined, undefined]);
      }),
      TIME_BOX,
    );
  });

  it('each caller hears its end exactly once, unless it cancelled; and nothing after either', () => {
    fc.assert(
      fc.property(runs, ([firstId, steps]) => {
        const run = after(firstId, steps);
        // StrictCaller throws where it hears anything too late
        run.end();
        for (const caller of run.callers) expect(caller.ends).toBe(caller.isCancelled ? 0 : 1);
        expect(run.pair.client.session.outgoing.size).toBe(0);
        expect(run.pair.server.session.incoming.size).toBe(0);
      }),
      TIME_BOX,
    );
  });

  it('whoever runs a call is told at most once that nobody waits', () => {
    fc.assert(
      fc.property(runs, ([firstId, steps]) => {
        const run = after(firstId, steps);
        run.end();
        expect([...run.cancels.values()].filter((times) => times > 1)).toEqual([]);
        expect([...run.cancels.keys()].filter(({ isEvent }) => isEvent)).toEqual([]);
      }),
      TIME_BOX,
    );
  });

  it('the wire has one end and one CANCEL for a call at the most, and no value after the end', () => {
    fc.assert(
      fc.property(runs, ([firstId, steps]) => {
        const { client, server } = after(firstId, steps).pair;
        const ended = new Set<number>();
        for (const { type, id } of server.sent) {
          if (['NEXT', ...LAST].includes(typeName(type))) expect(ended.has(id)).toBe(false);
          if (LAST.includes(typeName(type))) ended.add(id);
        }
        const cancelled = client.sentOf('CANCEL').map(({ id }) => id);
        expect(new Set(cancelled).size).toBe(cancelled.length);
        // after its CANCEL nothing more is sent for a call
        const ofCalls = client.sentOf('REQUEST', 'CREDIT', 'CANCEL');
        for (const [at, { type, id }] of ofCalls.entries()) {
          if (typeName(type) !== 'CANCEL') continue;
          expect(ofCalls.slice(at + 1).map((later) => later.id)).not.toContain(id);
        }
      }),
      TIME_BOX,
    );
  });

  it('ids go up by one at least, and round', () => {
    fc.assert(
      fc.property(runs, ([firstId, steps]) => {
        const ids = after(firstId, steps)
          .pair.client.sentOf('REQUEST')
          .map(({ id }) => id);
        for (const [at, id] of ids.entries()) {
          expect(id).toBeGreaterThan(0);
          if (at > 0) expect((id - ids[at - 1]!) | 0).toBeGreaterThan(0);
        }
      }),
      TIME_BOX,
    );
  });

  it('all that is under way ends in the end, where every call is answered', () => {
    fc.assert(
      fc.property(runs, ([firstId, steps]) => {
        const run = after(firstId, steps);
        if (run.cut) return;
        const { client, server } = run.pair;
        for (const call of server.calls) {
          if (call.isEvent) server.session.incoming.finish(call);
          else server.session.incoming.respond(call, 1, false);
        }
        run.pair.settle();
        // for the calls that the server alone has given up
        run.pair.expire(1e9);
        server.session.goAway();
        run.pair.settle();
        client.session.goAway();
        run.pair.settle();
        expect(client.session.isFinished).toBe(true);
        expect(server.session.isFinished).toBe(true);
        for (const caller of run.callers) expect(caller.ends).toBe(caller.isCancelled ? 0 : 1);
      }),
      TIME_BOX,
    );
  });
});
