import { describe, expect, it } from '@jest/globals';
import { FrameType, HEADER_BYTES, MAX_U32 } from '../../src/protocol/frame.js';
import { connect, ConnectionPair, message, type PairOptions } from './connection-pair.js';

const WINDOW = 1_000;

describe('the credit of a stream', () => {
  const withCall = (client: PairOptions = {}): ConnectionPair => {
    const pair = connect({ client: { streamCreditBytes: WINDOW, ...client } });
    pair.client.request();
    return pair.settle();
  };
  const grants = ({ client }: ConnectionPair): number[] =>
    client.sentOf('CREDIT').map(({ credit }) => credit);

  it('begins with what the request grants, and each NEXT costs its whole frame', () => {
    const { server } = withCall();
    const { incoming } = server.session;
    expect(server.call.creditBytes).toBe(WINDOW);
    incoming.next(server.call, 'x'.repeat(90), false);
    expect(server.call.creditBytes).toBe(WINDOW - HEADER_BYTES - 90);
    incoming.next(server.call, undefined, false);
    expect(server.call.creditBytes).toBe(WINDOW - 2 * HEADER_BYTES - 90);
  });

  it('may be taken below 0 by one frame', () => {
    const { server } = withCall();
    server.session.incoming.next(server.call, 'x'.repeat(WINDOW), false);
    expect(server.call.creditBytes).toBe(-HEADER_BYTES);
  });

  it('pays for no last answer', () => {
    const pair = withCall();
    const { server } = pair;
    server.session.incoming.respond(server.call, 'x'.repeat(WINDOW), false);
    expect(server.call.creditBytes).toBe(WINDOW);
  });

  it('comes back once half of the window was taken, with all that was', () => {
    const pair = withCall();
    const { client } = pair;
    const call = client.request().call!;
    const { outgoing } = client.session;
    outgoing.consume(call, WINDOW / 2 - 1);
    pair.settle();
    expect(grants(pair)).toEqual([]);
    outgoing.consume(call, 1);
    pair.settle();
    expect(grants(pair)).toEqual([WINDOW / 2]);
    outgoing.consume(call, 100);
    outgoing.consume(call, 3_000);
    pair.settle();
    expect(grants(pair)).toEqual([WINDOW / 2, 3_100]);
    expect(client.sentOf('CREDIT').map(({ id }) => id)).toEqual([call.id, call.id]);
  });

  it('is counted for each call alone', () => {
    const pair = connect();
    const [one, two] = [pair.client.request().call!, pair.client.request().call!];
    pair.client.session.outgoing.consume(one, 400);
    pair.client.session.outgoing.consume(two, 400);
    pair.settle();
    expect(grants(pair)).toEqual([]);
    pair.client.session.outgoing.consume(two, 100);
    pair.settle();
    expect(pair.server.calls.map(({ creditBytes }) => creditBytes)).toEqual([WINDOW, WINDOW + 500]);
  });

  it('wakes the one who waits for it once there is some, and not while there is none', () => {
    const pair = withCall();
    const { server, client } = pair;
    server.session.incoming.next(server.call, 'x'.repeat(WINDOW + 100), false);
    let woken = 0;
    server.call.onCredit = () => (woken += 1);
    const grant = (credit: number): void => {
      client.write(message(FrameType.CREDIT, 1, { credit }));
      pair.settle();
    };
    grant(HEADER_BYTES + 99);
    expect([server.call.creditBytes, woken]).toEqual([-1, 0]);
    grant(1);
    expect([server.call.creditBytes, woken]).toEqual([0, 0]);
    grant(1);
    expect([server.call.creditBytes, woken]).toEqual([1, 1]);
  });

  it('is of no use while the socket takes no more: a stream goes on when it does', () => {
    const pair = withCall();
    const { server, client } = pair;
    const { incoming } = server.session;
    client.request();
    client.request();
    pair.settle();
    const woken: number[] = [];
    for (const call of server.calls) call.onCredit = () => woken.push(call.id);
    expect(incoming.canStream(server.calls[0]!)).toBe(true);
    incoming.respond(server.calls[1]!, 1, false);
    incoming.next(server.calls[2]!, 'x'.repeat(WINDOW), false);
    pair.settle();

    server.isCongested = true;
    expect(incoming.canStream(server.calls[0]!)).toBe(false);
    client.write(message(FrameType.CREDIT, 1, { credit: 5 }));
    pair.settle();
    incoming.resumeStreams();
    expect(woken).toEqual([]);

    server.isCongested = false;
    incoming.resumeStreams();
    // the second has ended, the third has no credit
    expect(woken).toEqual([1]);
    expect(incoming.canStream(server.calls[2]!)).toBe(false);
  });

  it('stops at 2^32-1', () => {
    const pair = withCall({ streamCreditBytes: MAX_U32 });
    const { server } = pair;
    expect(server.call.creditBytes).toBe(MAX_U32);
    server.session.incoming.next(server.call, 'x'.repeat(90), false);
    pair.client.write(message(FrameType.CREDIT, 1, { credit: 50 }));
    pair.settle();
    expect(server.call.creditBytes).toBe(MAX_U32 - 50);
    pair.client.write(message(FrameType.CREDIT, 1, { credit: 51 }));
    pair.client.write(message(FrameType.CREDIT, 1, { credit: MAX_U32 }));
    pair.settle();
    expect(server.call.creditBytes).toBe(MAX_U32);
  });

  it('keeps a stream of any length going, and its sender never further ahead than the window and one frame', () => {
    const pair = withCall();
    const { client, server } = pair;
    const { incoming } = server.session;
    let reader = 0;
    const caller = client.request();
    pair.settle();
    for (let sent = 0, taken = 0; taken < 300;) {
      while (server.call.creditBytes > 0 && sent < 300) {
        incoming.next(server.call, 'x'.repeat(sent % 400), false);
        sent += 1;
      }
      pair.settle();
      const ahead = caller.wireBytes.slice(reader).reduce((sum, bytes) => sum + bytes, 0);
      expect(ahead).toBeLessThanOrEqual(WINDOW + 399 + HEADER_BYTES);
      expect(reader).toBeLessThan(caller.wireBytes.length);
      client.session.outgoing.consume(caller.call!, caller.wireBytes[reader]!);
      reader += 1;
      taken = reader;
      pair.settle();
    }
    expect(caller.heard).toHaveLength(300);
  });

  it('is nothing to a call that is over', () => {
    const pair = withCall();
    const { client, server } = pair;
    const call = client.request().call!;
    let woken = 0;
    pair.settle();
    server.call.onCredit = () => (woken += 1);
    server.session.incoming.respond(server.call, 1, false);
    client.session.outgoing.consume(call, WINDOW);
    pair.deliver(client);
    expect(woken).toBe(0);
    pair.settle();
    client.session.outgoing.consume(call, WINDOW);
    pair.settle();
    expect(grants(pair)).toEqual([WINDOW]);
  });
});

describe('the credit of events', () => {
  const grants = ({ server }: ConnectionPair): number[] =>
    server.sentOf('CREDIT').map(({ credit }) => credit);

  it('is the floor until the hello of the server has come, then what that says', () => {
    const pair = new ConnectionPair({ server: { maxEvents: 20 } });
    const { client } = pair;
    const { outgoing } = client.session;
    client.session.open();
    for (let count = 0; count < 16; count++) {
      expect(outgoing.hasEventCredit).toBe(true);
      client.emit();
    }
    expect(outgoing.hasEventCredit).toBe(false);
    pair.settle();
    for (let count = 0; count < 4; count++) {
      expect(client.session.canEmit).toBe(true);
      client.emit();
    }
    expect(client.session.canEmit).toBe(false);
    pair.settle();
    expect(pair.server.error).toBeUndefined();
    expect(pair.server.calls).toHaveLength(20);
  });

  it('ends the connection of a client that has none', () => {
    const pair = connect({ server: { maxEvents: 16 } });
    for (let count = 0; count < 17; count++) pair.client.emit();
    pair.settle();
    expect(pair.server.error?.code).toBe('TOO_MANY_EVENTS');
    expect(pair.server.calls).toHaveLength(16);
    expect(pair.server.session.incoming.eventsRunning).toBe(16);
  });

  it('is not given back by ending twice', () => {
    const pair = connect({ server: { maxEvents: 16 } });
    pair.client.emit();
    pair.settle();
    for (let count = 0; count < 20; count++) pair.server.session.incoming.finish(pair.server.call);
    pair.settle();
    expect(grants(pair)).toEqual([]);
    expect(pair.server.session.incoming).toMatchObject({ served: 1, eventsRunning: 0 });
  });

  it('comes back in quarters', () => {
    const pair = connect({ server: { maxEvents: 40 } });
    for (let count = 0; count < 25; count++) pair.client.emit();
    pair.settle();
    const { calls, session } = pair.server;
    const freed = pair.server.freedTimes;
    for (const event of calls.slice(0, 9)) session.incoming.finish(event);
    pair.settle();
    expect(grants(pair)).toEqual([]);
    session.incoming.finish(calls[9]!);
    pair.settle();
    expect(grants(pair)).toEqual([10]);
    for (const event of calls.slice(10, 20)) session.incoming.finish(event);
    pair.settle();
    expect(grants(pair)).toEqual([10, 10]);
    expect(session.incoming.eventsRunning).toBe(5);
    expect(pair.server.freedTimes).toBe(freed + 20);
  });

  it('comes back at once where the client has none left, so that it never waits for a quarter', () => {
    const pair = connect({ server: { maxEvents: 40 } });
    for (let count = 0; count < 40; count++) pair.client.emit();
    pair.settle();
    expect(pair.client.session.canEmit).toBe(false);
    const freed = pair.client.freedTimes;
    pair.server.session.incoming.finish(pair.server.calls[0]!);
    pair.settle();
    expect(grants(pair)).toEqual([1]);
    expect(pair.client.session.canEmit).toBe(true);
    expect(pair.client.freedTimes).toBe(freed + 1);
  });

  it('comes back with the last one that is taken, where others have ended before', () => {
    const pair = connect({ server: { maxEvents: 40 } });
    const { client, server } = pair;
    for (let count = 0; count < 39; count++) client.emit();
    pair.settle();
    for (const event of server.calls.slice(0, 9)) server.session.incoming.finish(event);
    pair.settle();
    expect(grants(pair)).toEqual([]);
    client.emit();
    pair.settle();
    expect(grants(pair)).toEqual([9]);
    expect(client.session.canEmit).toBe(true);
  });

  it('carries any number of events through, never more under way than allowed', () => {
    const pair = connect({ server: { maxEvents: 16 } });
    const { client, server } = pair;
    let finished = 0;
    for (let sent = 0; sent < 500;) {
      while (client.session.canEmit && sent < 500) {
        client.emit({ payload: sent });
        sent += 1;
      }
      pair.settle();
      expect(server.session.incoming.eventsRunning).toBeLessThanOrEqual(16);
      expect(finished).toBeLessThan(server.calls.length);
      server.session.incoming.finish(server.calls[finished]!);
      finished += 1;
      pair.settle();
    }
    expect(server.calls.map(({ payload }) => payload)).toEqual(Array.from({ length: 500 }, (_, at) => at));
    expect(server.error).toBeUndefined();
  });

  it('does not count requests', () => {
    const pair = connect({ server: { maxEvents: 16, maxInFlight: 30 } });
    for (let count = 0; count < 30; count++) pair.client.request();
    pair.settle();
    expect(pair.client.session).toMatchObject({ canEmit: true, canRequest: false });
  });
});

describe('requests in flight', () => {
  it('have room up to what the server grants, and again with each that ends', () => {
    const pair = connect({ server: { maxInFlight: 20 } });
    for (let count = 0; count < 20; count++) {
      expect(pair.client.session.canRequest).toBe(true);
      pair.client.request();
    }
    expect(pair.client.session).toMatchObject({ canRequest: false, canEmit: true });
    pair.settle();
    expect(pair.server.refusals).toEqual([]);
    pair.server.session.incoming.respond(pair.server.call, 1, false);
    expect(pair.client.session.canRequest).toBe(false);
    pair.settle();
    expect(pair.client.session.canRequest).toBe(true);
  });

  it('over the limit are refused alone, and safe to send again', () => {
    const pair = connect({ server: { maxInFlight: 16 } });
    const callers = Array.from({ length: 17 }, (_none, payload) => pair.client.request({ payload }));
    pair.settle();
    expect(callers.map(({ heard }) => heard)).toEqual([
      ...Array.from({ length: 16 }, () => []),
      [['fail', expect.objectContaining({ code: 'TOO_MANY_REQUESTS', retrySafe: true }), false]],
    ]);
    expect(pair.server.refusals).toEqual(['TOO_MANY_REQUESTS']);
    expect(pair.server.calls).toHaveLength(16);
    pair.server.session.incoming.respond(pair.server.calls[0]!, 1, false);
    const again = pair.client.request({ payload: 'again' });
    pair.settle();
    expect(pair.server.call.payload).toBe('again');
    expect(again.heard).toEqual([]);
    expect(callers[0]!.heard).toEqual([['end', 1, false]]);
  });

  it('are refused for their number before they are for what they carry', () => {
    const pair = connect({ server: { maxInFlight: 16, maxMetadataBytes: 0 } });
    for (let count = 0; count < 16; count += 1) pair.client.request();
    const last = pair.client.request({ metadata: { a: 'b' } });
    pair.settle();
    expect(last.codes).toEqual(['TOO_MANY_REQUESTS']);
  });
});

describe('a call that can not be read', () => {
  /** Frames by hand, whose payload or metadata is broken. */
  const sendBroken = (pair: ConnectionPair, type: number, flags: number, rest: string): void => {
    const body = Buffer.concat([Buffer.alloc(12), Buffer.from(rest)]);
    const header = Buffer.alloc(HEADER_BYTES);
    header.writeUInt32BE(body.length);
    header[7] = type === FrameType.EVENT ? 0 : 200;
    header[8] = type;
    header[9] = flags;
    if (flags === 0) body.writeUInt16BE(rest.length, 10);
    const bytes = Buffer.concat([header, body]);
    pair.deliver(pair.client);
    pair.server.dialect.decode(bytes, (each) => pair.server.session.receive(each, 0));
  };

  it.each([
    ['BAD_PAYLOAD', 1],
    ['BAD_METADATA', 0],
  ])('is answered with %s, and no other call is touched', (code, flags) => {
    const pair = connect();
    const other = pair.client.request();
    sendBroken(pair, FrameType.REQUEST, flags, '{');
    pair.settle();
    expect(pair.server.refusals).toEqual([code]);
    expect(pair.server.sentOf('ERROR')).toMatchObject([
      { id: 200, isTransportError: true, payload: { code } },
    ]);
    expect(pair.server.calls).toHaveLength(1);
    expect(pair.server.session.incoming.size).toBe(1);
    pair.server.session.incoming.respond(pair.server.call, 1, false);
    pair.settle();
    expect(other.heard).toEqual([['end', 1, false]]);
    expect([pair.server.error, pair.client.error]).toEqual([undefined, undefined]);
  });

  it.each([
    ['BAD_PAYLOAD', 1],
    ['BAD_METADATA', 0],
  ])('is dropped where it is an event, and its credit comes back: %s', (code, flags) => {
    const pair = connect({ server: { maxEvents: 16 } });
    for (let count = 0; count < 4; count++) sendBroken(pair, FrameType.EVENT, flags, '{');
    pair.settle();
    expect(pair.server.refusals).toEqual([code, code, code, code]);
    expect(pair.server.calls).toEqual([]);
    expect(pair.server.sentOf('CREDIT', 'ERROR')).toMatchObject([
      { type: FrameType.CREDIT, id: 0, credit: 4 },
    ]);
    expect(pair.server.session.incoming.eventsRunning).toBe(0);
    expect(pair.server.error).toBeUndefined();
  });
});

describe('metadata over the limit of the server', () => {
  const metadata = { key: 'v'.repeat(90) };
  const length = JSON.stringify(metadata).length;

  it('is refused for that call alone', () => {
    const pair = connect({ server: { maxMetadataBytes: length } });
    const fits = pair.client.request({ metadata });
    const over = pair.client.request({ metadata: { key: metadata.key + 'v' } });
    pair.settle();
    expect(fits.heard).toEqual([]);
    expect(over.codes).toEqual(['METADATA_TOO_LARGE']);
    expect(over.heard[0]![1]).toMatchObject({ message: expect.stringMatching(`${length + 1}.*${length}`) });
    expect(pair.server.refusals).toEqual(['METADATA_TOO_LARGE']);
    expect(pair.server.calls).toHaveLength(1);
  });

  it('drops an event, and its credit comes back', () => {
    const pair = connect({ server: { maxMetadataBytes: length - 1, maxEvents: 16 } });
    for (let count = 0; count < 4; count++) pair.client.emit({ metadata });
    pair.settle();
    expect(pair.server.calls).toEqual([]);
    expect(pair.server.refusals).toHaveLength(4);
    expect(pair.server.sentOf('CREDIT')).toMatchObject([{ id: 0, credit: 4 }]);
  });
});
