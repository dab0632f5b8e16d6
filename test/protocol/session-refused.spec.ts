import { describe, expect, it } from '@jest/globals';
import { BinaryDialect } from '../../src/protocol/dialects/binary.js';
import { errorOf, ProtocolError } from '../../src/protocol/errors.js';
import { FrameType } from '../../src/protocol/frame.js';
import { bytesOf } from '../conformance/vectors.js';
import { connect, ConnectionPair, message, Recorder } from './connection-pair.js';
import { MIB } from './reading.js';

const REFUSED = errorOf('UNKNOWN_DIALECT', 'no');

/** A client that has said hello, and called before it was answered. */
function waiting(): ConnectionPair & { caller: Recorder } {
  const pair = new ConnectionPair();
  pair.client.session.open();
  return Object.assign(pair, { caller: pair.client.request() });
}

describe('a GOAWAY in place of the hello of a server', () => {
  it('that names UNKNOWN_DIALECT ends the connection with that, and the calls that waited', () => {
    const pair = waiting();
    pair.server.dialect.encodeLastWord(REFUSED);
    pair.deliver(pair.server);
    expect(pair.client.error).toBeInstanceOf(ProtocolError);
    expect(pair.client.error).toMatchObject({ code: 'UNKNOWN_DIALECT', message: 'no' });
    expect(pair.caller.codes).toEqual(['UNKNOWN_DIALECT']);
    expect(pair.client.session).toMatchObject({ isOpen: false, hasBegun: false });
  });

  it.each([
    ['another reason', { isFinal: true, payload: errorOf('SERVER_CLOSING', 'now').toWire() }],
    ['no reason', { isFinal: true }],
    ['no end', {}],
  ])('that has %s is no hello', (_what, fields) => {
    const pair = waiting();
    pair.server.write(message(FrameType.GOAWAY, 0, fields));
    pair.deliver(pair.server);
    expect(pair.client.error?.code).toBe('BAD_HELLO');
  });

  it('of a client is no hello, whatever it names', () => {
    const pair = new ConnectionPair();
    pair.client.write(message(FrameType.GOAWAY, 0, { isFinal: true, payload: REFUSED.toWire() }));
    pair.deliver(pair.client);
    expect(pair.server.error?.code).toBe('BAD_HELLO');
  });

  it('is a GOAWAY as any other once the connection is open', () => {
    const pair = connect();
    const caller = pair.client.request();
    pair.server.dialect.encodeLastWord(REFUSED);
    pair.deliver(pair.server);
    expect(pair.client.error).toBeUndefined();
    expect(caller.codes).toEqual(['SERVER_CLOSING']);
  });
});

describe('the last word of the binary dialect', () => {
  it('is the GOAWAY of the page where the dialect is not served, and nothing for any other error', () => {
    const dialect = new BinaryDialect(MIB);
    for (const code of ['BAD_FRAME', 'FRAME_TOO_LARGE', 'ID_IN_USE', 'CONNECTION_LOST'] as const)
      dialect.encodeLastWord(errorOf(code, 'no'));
    expect(dialect.take()).toEqual([]);
    dialect.encodeLastWord(REFUSED);
    expect(Buffer.concat(dialect.take())).toEqual(bytesOf('goaway-dialect'));
  });
});
