import { describe, expect, it } from '@jest/globals';
import { errorOf } from '../../src/protocol/errors.js';
import { FrameType } from '../../src/protocol/frame.js';
import { Feature, type Hello } from '../../src/protocol/hello.js';
import { connect, ConnectionPair, message, Recorder } from './connection-pair.js';

const CLOSING = errorOf('SERVER_CLOSING', 'grace period over');
const LOST = errorOf('CONNECTION_LOST', 'the cable was cut');

const HELLO: Hello = {
  versionFrom: 1,
  versionTo: 1,
  chosen: 1,
  features: 0,
  maxFrameBytes: 65_536,
  maxInFlight: 16,
  maxEvents: 16,
  pid: 1,
  name: '',
};

describe('the hello', () => {
  it.each([Infinity, 1])('goes both ways, in pieces of %d bytes', (pieceBytes) => {
    const pair = new ConnectionPair({
      client: { name: 'shop', pid: 4711, maxFrameBytes: 70_000 },
      server: { name: 'echo', pid: 42, maxFrameBytes: 80_000, maxInFlight: 20, maxEvents: 30 },
    });
    pair.client.session.open();
    pair.settle(pieceBytes);
    const { client, server } = pair;

    expect(client.frames).toEqual(['CLIENT_HELLO 0']);
    expect(server.frames).toEqual(['SERVER_HELLO 0']);
    const versions = { versionFrom: 1, versionTo: 1 };
    expect(server.peers).toEqual([
      {
        ...versions,
        chosen: 0,
        features: 0,
        name: 'shop',
        pid: 4711,
        maxFrameBytes: 70_000,
        maxInFlight: 0,
        maxEvents: 0,
      },
    ]);
    expect(client.peers).toEqual([
      {
        ...versions,
        chosen: 1,
        features: Feature.TAKEOVER,
        name: 'echo',
        pid: 42,
        maxFrameBytes: 80_000,
        maxInFlight: 20,
        maxEvents: 30,
      },
    ]);
    expect(client.session).toMatchObject({ version: 1, isOpen: true, peer: client.peers[0] });
    expect(server.session).toMatchObject({ version: 1, isOpen: true, peer: server.peers[0] });
  });

  it('is waited for: a server writes nothing, and no call may be made before', () => {
    const pair = new ConnectionPair();
    pair.settle();
    expect(pair.server.frames).toEqual([]);
    pair.client.session.open();
    pair.deliver(pair.client);
    expect(pair.server.session.isOpen).toBe(true);
    expect(pair.client.session).toMatchObject({
      isOpen: false,
      canRequest: false,
      canEmit: false,
      version: 0,
    });
    pair.settle();
    expect(pair.client.session).toMatchObject({ isOpen: true, canRequest: true, canEmit: true, version: 1 });
  });

  it('is answered with version 0 where the client speaks none of the server, then the server closes', () => {
    const pair = new ConnectionPair();
    const hello = { ...HELLO, versionFrom: 2, versionTo: 3, chosen: 0 };
    pair.client.write(message(FrameType.CLIENT_HELLO, 0, { hello }));
    pair.settle();
    expect(pair.server.error?.code).toBe('VERSION_MISMATCH');
    expect(pair.server.sent.map(({ hello }) => hello?.chosen)).toEqual([0]);
    expect(pair.server.peers).toEqual([]);
    expect(pair.client.error?.code).toBe('VERSION_MISMATCH');
    expect(pair.client.session.isOpen).toBe(false);
  });

  it.each([0, 2, 255])('with the version %d chosen ends the connection', (chosen) => {
    const pair = new ConnectionPair();
    pair.client.session.open();
    pair.server.write(message(FrameType.SERVER_HELLO, 0, { hello: { ...HELLO, chosen } }));
    pair.deliver(pair.server);
    expect(pair.client.error?.code).toBe('VERSION_MISMATCH');
    expect(pair.client.session).toMatchObject({ version: 0, peer: undefined });
  });

  it('of a client that speaks later versions too gets the version of the server', () => {
    const pair = new ConnectionPair();
    pair.client.write(message(FrameType.CLIENT_HELLO, 0, { hello: { ...HELLO, versionTo: 9, chosen: 9 } }));
    pair.settle();
    expect(pair.server.session.version).toBe(1);
    expect(pair.server.sent[0]?.hello?.chosen).toBe(1);
  });

  it.each(['CLIENT_HELLO', 'SERVER_HELLO'] as const)('%s is refused once the connection is open', (type) => {
    for (const name of ['client', 'server'] as const) {
      const pair = connect();
      pair[name].write(message(FrameType[type], 0, { hello: HELLO }));
      pair.settle();
      const receiver = pair.other(pair[name]);
      expect(receiver.error?.code).toBe('BAD_HELLO');
      expect(receiver.peers).toHaveLength(1);
    }
  });

  it.each([
    ['client', 'CLIENT_HELLO'],
    ['server', 'SERVER_HELLO'],
  ] as const)('of the own role is refused: a %s that receives a %s', (role, type) => {
    const pair = new ConnectionPair();
    pair.other(pair[role]).write(message(FrameType[type], 0, { hello: HELLO }));
    pair.deliver(pair.other(pair[role]));
    expect(pair[role].error?.code).toBe('BAD_HELLO');
    expect(pair[role].frames).toEqual([]);
  });

  it.each(Object.entries(FrameType).filter(([name]) => !name.endsWith('HELLO')))(
    'is to be the first frame: not %s',
    (_name, type) => {
      const pair = new ConnectionPair();
      const hasNoId = type === FrameType.EVENT || type === FrameType.GOAWAY;
      pair.client.write(message(type, hasNoId ? 0 : 1));
      pair.deliver(pair.client);
      expect(pair.server.error?.code).toBe('BAD_HELLO');
      expect(pair.server.calls).toEqual([]);
    },
  );

  it.each([{ maxInFlight: 15 }, { maxEvents: 15 }, { maxInFlight: 0, maxEvents: 0 }])(
    'of a server that grants less than the floor is refused: %j',
    (grants) => {
      const pair = new ConnectionPair();
      pair.client.session.open();
      pair.server.write(message(FrameType.SERVER_HELLO, 0, { hello: { ...HELLO, ...grants } }));
      pair.deliver(pair.server);
      expect(pair.client.error?.code).toBe('BAD_HELLO');
      expect(pair.client.peers).toEqual([]);
    },
  );

  it('of a server that grants just the floor is taken', () => {
    const pair = new ConnectionPair();
    pair.client.session.open();
    pair.server.write(message(FrameType.SERVER_HELLO, 0, { hello: HELLO }));
    pair.deliver(pair.server);
    expect(pair.client.session.isOpen).toBe(true);
  });

  it('may have calls at its heels, under the floor limits', () => {
    const pair = new ConnectionPair();
    pair.client.session.open();
    for (let count = 0; count < 16; count++) {
      pair.client.request();
      pair.client.emit();
    }
    expect(pair.client.session.outgoing).toMatchObject({ hasRoom: false, hasEventCredit: false });
    pair.settle();
    expect(pair.server.calls).toHaveLength(32);
    expect(pair.client.session.outgoing).toMatchObject({ hasRoom: true, hasEventCredit: true });
  });
});

describe('liveness', () => {
  it('answers PING with PONG of the same token, in order with what else is written', () => {
    const pair = connect();
    const { client, server } = pair;
    client.request();
    client.session.ping(0xffffffff);
    pair.settle();
    expect(server.pongs).toEqual([0xffffffff]);
    server.session.incoming.respond(server.call, 1, false);
    server.session.ping(0);
    pair.settle();
    expect(client.pongs).toEqual([0]);
    expect(server.frames).toEqual(['SERVER_HELLO 0', 'PONG 4294967295', 'RESPONSE 1', 'PING 0']);
    expect(client.frames).toEqual(['CLIENT_HELLO 0', 'REQUEST 1', 'PING 4294967295', 'PONG 0']);
  });
});

describe('what only a client may send', () => {
  it.each([
    ['REQUEST', 1],
    ['EVENT', 0],
  ] as const)('%s ends the connection where a server sends it', (type, id) => {
    const pair = connect();
    pair.server.write(message(FrameType[type], id));
    pair.settle();
    expect(pair.client.error?.code).toBe('UNEXPECTED_FRAME');
    expect(pair.client.calls).toEqual([]);
  });

  it('is ignored from a server where it means nothing: CANCEL and CREDIT of a call', () => {
    const pair = connect();
    pair.server.write(message(FrameType.CANCEL, 1));
    pair.server.write(message(FrameType.CREDIT, 1, { credit: 5 }));
    for (const type of [FrameType.RESPONSE, FrameType.NEXT, FrameType.COMPLETE, FrameType.ERROR] as const) {
      pair.client.write(message(type, 1));
    }
    pair.settle();
    expect([pair.client.error, pair.server.error]).toEqual([undefined, undefined]);
  });
});

describe('leaving', () => {
  it('opens nothing more, and finishes what was taken: the server first', () => {
    const pair = connect();
    const { client, server } = pair;
    const caller = client.request();
    client.emit();
    pair.settle();
    server.session.goAway();
    expect(server.session.isOpen).toBe(false);
    pair.settle();
    expect(client.leftTimes).toBe(1);
    expect(client.session).toMatchObject({ isOpen: false, canRequest: false, canEmit: false });
    expect(client.session.isFinished).toBe(false);

    client.session.goAway();
    pair.settle();
    expect(server.leftTimes).toBe(1);
    expect([client.session.isFinished, server.session.isFinished]).toEqual([false, false]);

    server.session.incoming.finish(server.calls[1]!);
    expect(server.session.isFinished).toBe(false);
    server.session.incoming.respond(server.calls[0]!, 'late', false);
    expect(server.session.isFinished).toBe(true);
    pair.settle();
    expect(caller.heard).toEqual([['end', 'late', false]]);
    expect(client.session.isFinished).toBe(true);
    expect(client.frames.slice(-1)).toEqual(['GOAWAY 0']);
    expect(server.frames.slice(1)).toEqual(['GOAWAY 0', 'RESPONSE 1']);
  });

  it.each<[string, (pair: ConnectionPair) => void, unknown[]]>([
    ['a value', ({ server }) => server.session.incoming.respond(server.call, 1, false), ['end', 1, false]],
    [
      'the end of a stream',
      ({ server }) => server.session.incoming.complete(server.call, undefined, false),
      ['end', undefined, false],
    ],
    [
      'an error',
      ({ server }) => server.session.incoming.fail(server.call, 'no', false),
      ['fail', 'no', false],
    ],
    [
      'what can not be written',
      ({ server }) => server.session.incoming.respond(server.call, 1n, false),
      ['fail', expect.objectContaining({ code: 'UNSERIALIZABLE_ANSWER' }), false],
    ],
    [
      'a refusal',
      ({ server }) => server.session.incoming.refuse(server.call, errorOf('NO_HANDLER', 'none')),
      ['fail', expect.objectContaining({ code: 'NO_HANDLER' }), false],
    ],
    [
      'a value of a stream that can not be written',
      ({ server }) => server.session.incoming.next(server.call, 1n, false),
      ['fail', expect.objectContaining({ code: 'UNSERIALIZABLE_ANSWER' }), false],
    ],
  ])('loses no last answer, though the connection ends with it: %s', (_name, answer, heard) => {
    const pair = connect();
    const caller = pair.client.request();
    pair.settle();
    pair.server.session.goAway();
    pair.settle();
    pair.client.session.goAway();
    pair.settle();
    answer(pair);
    expect(pair.server.isOver).toBe(true);
    pair.settle();
    expect(caller.heard).toEqual([heard]);
  });

  it('tells of the last CANCEL, though the connection ends with it', () => {
    const pair = connect();
    const { client } = pair;
    const caller = client.request();
    client.session.goAway();
    client.session.outgoing.cancel(caller.call!);
    expect(client.isOver).toBe(true);
    pair.settle();
    expect(client.frames.slice(1)).toEqual(['REQUEST 1', 'GOAWAY 0', 'CANCEL 1']);
  });

  it('finishes a client with its last call, though the server has said nothing', () => {
    const pair = connect();
    const { client, server } = pair;
    const caller = client.request();
    client.session.goAway();
    pair.settle();
    expect(client.session.isFinished).toBe(false);
    expect(server.session.isFinished).toBe(false);
    server.session.incoming.respond(server.call, 1, false);
    pair.settle();
    expect(caller.heard).toEqual([['end', 1, false]]);
    expect(client.session.isFinished).toBe(true);
    expect(server.session.isFinished).toBe(false);
  });

  it('leaves a server with nothing to do waiting for the word of its client, whose calls may be under way', () => {
    const pair = connect();
    const { client, server } = pair;
    server.session.goAway();
    expect(server.session).toMatchObject({ isIdle: true, isFinished: false });
    pair.settle();
    expect(server.session.isFinished).toBe(false);
    client.session.goAway();
    expect(client.session.isFinished).toBe(true);
    pair.settle();
    expect(server.session.isFinished).toBe(true);
    expect(server.isOver).toBe(true);
  });

  it('is said once, and neither before the hello nor after the end', () => {
    const early = new ConnectionPair();
    early.client.session.goAway();
    early.client.session.goAwayFinally(CLOSING);
    expect(early.client.dialect.pendingBytes).toBe(0);

    const pair = connect();
    pair.client.session.goAway();
    pair.client.session.goAway();
    pair.settle();
    expect(pair.client.sentOf('GOAWAY')).toHaveLength(1);

    const late = connect();
    late.client.session.close(LOST);
    late.client.session.goAway();
    late.client.session.goAwayFinally(CLOSING);
    late.settle();
    expect(late.client.sentOf('GOAWAY')).toEqual([]);
  });

  it('still takes what was under way when it was said, and still answers PING', () => {
    const pair = connect();
    const { client, server } = pair;
    server.session.goAway();
    const caller = client.request();
    client.emit();
    client.session.ping(5);
    pair.settle();
    expect(server.calls).toHaveLength(2);
    expect(server.pongs).toEqual([5]);
    server.session.incoming.respond(server.calls[0]!, 1, false);
    pair.settle();
    expect(caller.heard).toEqual([['end', 1, false]]);
  });
});

describe('leaving for good', () => {
  it('refuses exactly the calls after the last one taken, which are safe to send again', () => {
    const pair = connect();
    const { client, server } = pair;
    const taken = [client.request(), client.request()];
    pair.settle();
    const untaken = [client.request(), client.request()];
    server.session.goAwayFinally(CLOSING);
    expect(server.session.isOpen).toBe(false);
    pair.deliver(server);

    expect(client.leftTimes).toBe(1);
    expect(server.sentOf('GOAWAY')).toMatchObject([
      { id: 2, isFinal: true, payload: { code: 'SERVER_CLOSING', message: 'grace period over' } },
    ]);
    for (const caller of untaken) {
      expect(caller.heard).toEqual([
        [
          'fail',
          expect.objectContaining({ code: 'SERVER_CLOSING', message: 'grace period over', retrySafe: true }),
          false,
        ],
      ]);
      expect(caller.call!.isOver).toBe(true);
    }
    expect(taken.map(({ heard }) => heard)).toEqual([[], []]);
    expect(client.session.outgoing.size).toBe(2);

    client.session.close(LOST);
    expect(taken.map(({ codes }) => codes)).toEqual([['CONNECTION_LOST'], ['CONNECTION_LOST']]);
    expect(untaken.map(({ heard }) => heard.length)).toEqual([1, 1]);
  });

  it('counts a request that was refused as taken: it has its answer', () => {
    const pair = connect({ server: { maxInFlight: 16 } });
    for (let id = 1; id <= 16; id += 1) pair.client.request();
    const refused = pair.client.request();
    pair.settle();
    pair.server.session.goAwayFinally(CLOSING);
    pair.settle();
    expect(pair.server.sentOf('GOAWAY')).toMatchObject([{ id: 17 }]);
    expect(refused.codes).toEqual(['TOO_MANY_REQUESTS']);
  });

  it('refuses all where none was taken', () => {
    const pair = connect();
    const callers = [pair.client.request(), pair.client.request()];
    pair.server.session.goAwayFinally(CLOSING);
    pair.deliver(pair.server);
    expect(callers.map(({ codes }) => codes)).toEqual([['SERVER_CLOSING'], ['SERVER_CLOSING']]);
  });

  it('compares ids as they wrap', () => {
    const pair = connect({ client: { firstId: 2 ** 32 - 3 } });
    const { client, server } = pair;
    const taken = [client.request(), client.request()];
    pair.settle();
    const untaken = [client.request(), client.request(), client.request()];
    expect(untaken.map(({ call }) => call!.id)).toEqual([2 ** 32 - 1, 1, 2]);
    server.session.goAwayFinally(CLOSING);
    pair.deliver(server);
    expect(taken.map(({ heard }) => heard.length)).toEqual([0, 0]);
    expect(untaken.map(({ codes }) => codes)).toEqual([
      ['SERVER_CLOSING'],
      ['SERVER_CLOSING'],
      ['SERVER_CLOSING'],
    ]);
  });

  it('spares the calls before the wrap where the last one taken lies behind it', () => {
    const pair = connect({ client: { firstId: 2 ** 32 - 1 } });
    const { client, server } = pair;
    const taken = [client.request(), client.request()];
    pair.settle();
    const untaken = client.request();
    server.session.goAwayFinally(CLOSING);
    pair.deliver(server);
    expect(server.sentOf('GOAWAY')).toMatchObject([{ id: 1 }]);
    expect(taken.map(({ heard }) => heard.length)).toEqual([0, 0]);
    expect(untaken.codes).toEqual(['SERVER_CLOSING']);
  });

  it('has a reason of its own where the server tells none', () => {
    const pair = connect();
    const caller = pair.client.request();
    pair.server.write(message(FrameType.GOAWAY, 0, { isFinal: true }));
    pair.deliver(pair.server);
    expect(caller.codes).toEqual(['SERVER_CLOSING']);
    expect(caller.heard[0]![1]).toMatchObject({ message: expect.stringMatching(/before it took the call/) });
  });

  it('refuses with SERVER_CLOSING whatever code the server names', () => {
    const pair = connect();
    const caller = pair.client.request();
    pair.server.session.goAwayFinally(errorOf('CONNECTION_LOST', 'power is going'));
    pair.deliver(pair.server);
    expect(caller.heard).toMatchObject([
      ['fail', { code: 'SERVER_CLOSING', message: 'power is going' }, false],
    ]);
  });

  it('refuses nothing where it is not final', () => {
    const pair = connect();
    const caller = pair.client.request();
    pair.server.session.goAway();
    pair.deliver(pair.server);
    expect(caller.heard).toEqual([]);
  });

  it('may be said after leaving was', () => {
    const pair = connect();
    pair.server.session.goAway();
    const caller = pair.client.request();
    pair.server.session.goAwayFinally(CLOSING);
    pair.deliver(pair.server);
    expect(pair.server.frames.slice(1)).toEqual(['GOAWAY 0', 'GOAWAY 0']);
    expect(caller.codes).toEqual(['SERVER_CLOSING']);
  });
});

describe('the end of a connection', () => {
  it('fails every call once, with the error', () => {
    const pair = connect();
    const callers = [pair.client.request(), pair.client.request(), pair.client.request()];
    pair.settle();
    pair.server.session.incoming.next(pair.server.calls[1]!, 'one', false);
    pair.settle();
    pair.client.session.close(LOST);
    pair.client.session.close(errorOf('CLIENT_CLOSED', 'once more'));
    expect(callers.map(({ heard }) => heard)).toEqual([
      [['fail', LOST, false]],
      [
        ['next', 'one', false],
        ['fail', LOST, false],
      ],
      [['fail', LOST, false]],
    ]);
    expect(pair.client.session).toMatchObject({ isOpen: false, isIdle: true });
    expect(pair.client.dialect.pendingBytes).toBe(0);
  });

  it('tells whoever runs a call, once, and sends nothing for it then', () => {
    const pair = connect();
    const { client, server } = pair;
    client.request();
    client.request();
    pair.settle();
    const reasons: unknown[] = [];
    for (const call of server.calls) call.onCancel = (reason) => reasons.push(reason);
    server.session.close(LOST);
    server.session.close(LOST);
    expect(reasons).toEqual([LOST, LOST]);
    const { incoming } = server.session;
    for (const call of server.calls) {
      expect(incoming.next(call, 1, false)).toBeUndefined();
      expect(incoming.respond(call, 1, false)).toBeUndefined();
      expect(incoming.complete(call, undefined, false)).toBeUndefined();
      expect(incoming.fail(call, 1, false)).toBeUndefined();
      incoming.refuse(call, CLOSING);
    }
    expect(reasons).toHaveLength(2);
    expect(server.dialect.pendingBytes).toBe(0);
    expect(incoming.size).toBe(0);
  });

  it('lets events run to their end, and says nothing of it to the wire', () => {
    const pair = connect({ server: { maxEvents: 16 } });
    const { client, server } = pair;
    for (let count = 0; count < 16; count++) client.emit();
    pair.settle();
    const cancelled: unknown[] = [];
    for (const event of server.calls) event.onCancel = (reason) => cancelled.push(reason);
    server.session.close(LOST);
    expect(server.session.incoming.eventsRunning).toBe(16);
    expect(server.session.isIdle).toBe(false);
    for (const event of server.calls) server.session.incoming.finish(event);
    expect(server.session.incoming).toMatchObject({ eventsRunning: 0, served: 16 });
    expect(server.session.isIdle).toBe(true);
    expect(cancelled).toEqual([]);
    expect(server.dialect.pendingBytes).toBe(0);
  });

  it('is followed by nothing, whatever a caller does when it hears of it', () => {
    const pair = connect();
    const { client } = pair;
    const cancels = (recorder: Recorder): void => {
      client.session.outgoing.cancel(recorder.call!);
      client.session.outgoing.consume(recorder.call!, 10_000);
    };
    const callers = [new Recorder(cancels), new Recorder(cancels)];
    for (const caller of callers) client.request({}, 0, caller);
    pair.settle();
    client.session.close(LOST);
    expect(callers.map(({ codes }) => codes)).toEqual([['CONNECTION_LOST'], ['CONNECTION_LOST']]);
    expect(client.dialect.pendingBytes).toBe(0);
  });
});

describe('what is under way', () => {
  it('is told of both ends', () => {
    const pair = connect();
    const { client, server } = pair;
    expect([client.session.isIdle, server.session.isIdle]).toEqual([true, true]);
    client.request();
    client.emit();
    pair.settle();
    expect([client.session.isIdle, server.session.isIdle]).toEqual([false, false]);
    server.session.incoming.respond(server.calls[0]!, 1, false);
    pair.settle();
    expect([client.session.isIdle, server.session.isIdle]).toEqual([true, false]);
    server.session.incoming.finish(server.calls[1]!);
    expect(server.session.isIdle).toBe(true);
  });
});
