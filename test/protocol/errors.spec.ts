import { describe, expect, it } from '@jest/globals';
import {
  ConnectionError,
  ERROR_CODES,
  errorFromWire,
  errorOf,
  ProtocolError,
  RemoteError,
  UdsError,
  UsageError,
  type Fault,
  type UdsErrorCode,
} from '../../src/protocol/errors.js';

const codes = Object.keys(ERROR_CODES) as UdsErrorCode[];
const CLASSES: Record<Fault, typeof UdsError> = {
  caller: UsageError,
  peer: ProtocolError,
  connection: ConnectionError,
  remote: RemoteError,
};

describe('the error of each code', () => {
  it.each(codes)('%s is of the class of its fault', (code) => {
    const error = errorOf(code, 'what happened');
    const expected = CLASSES[ERROR_CODES[code].fault];
    expect(error).toBeInstanceOf(UdsError);
    expect(error.constructor).toBe(expected);
    expect(error).toMatchObject({ code, message: 'what happened', name: expected.name });
    expect(error.retrySafe).toBe(ERROR_CODES[code].retrySafe);
  });

  it.each(codes)('%s comes back from the wire with its code', (code) => {
    const error = errorFromWire(errorOf(code, 'what happened').toWire());
    expect(error).toBeInstanceOf(RemoteError);
    expect(error).toMatchObject({ code, message: 'what happened', retrySafe: ERROR_CODES[code].retrySafe });
  });

  it('ends the connection for each fault of the peer, and for none of the other end', () => {
    for (const { fault, connectionLives } of Object.values(ERROR_CODES)) {
      if (fault === 'peer') expect(connectionLives).toBe(false);
    }
    expect(codes.filter((code) => ERROR_CODES[code].fault === 'peer').length).toBeGreaterThan(5);
  });

  it('allows no second try of a call that may have run', () => {
    const uncertain = ['CONNECTION_LOST', 'DEADLINE_EXCEEDED', 'CALL_ABORTED', 'STREAM_OVERFLOW'] as const;
    expect(uncertain.filter((code) => errorOf(code, '').retrySafe)).toEqual([]);
    const neverRun = ['SERVER_CLOSING', 'TOO_MANY_REQUESTS', 'QUEUE_FULL', 'SERVER_NOT_FOUND'] as const;
    expect(neverRun.filter((code) => !errorOf(code, '').retrySafe)).toEqual([]);
  });
});

describe('the cause of an error', () => {
  it('is kept where there is one', () => {
    const cause = new Error('ENOENT');
    expect(errorOf('SERVER_NOT_FOUND', 'nobody there', cause).cause).toBe(cause);
    expect(errorOf('SERVER_NOT_FOUND', 'nobody there', null).cause).toBeNull();
  });

  it('is no property at all where there is none', () => {
    expect('cause' in errorOf('SERVER_NOT_FOUND', 'nobody there')).toBe(false);
  });
});

describe('an error on the wire', () => {
  it('is its code and its message: no stack, no cause', () => {
    const error = errorOf('STREAM_OVERFLOW', 'it failed', new Error('with secrets'));
    expect(error.toWire()).toEqual({ code: 'STREAM_OVERFLOW', message: 'it failed' });
  });

  it.each(['OF_A_LATER_VERSION', '', 'no_handler', '__proto__', 'toString', 'constructor', 'hasOwnProperty'])(
    'that has the code %j is one that this version does not know',
    (code) => {
      const error = errorFromWire({ code, message: 'what happened' });
      expect(error).toBeInstanceOf(RemoteError);
      expect(error).toMatchObject({ code: 'UNKNOWN_REMOTE_ERROR', retrySafe: false });
      expect(error.message).toBe(`${code}: what happened`);
    },
  );
});
