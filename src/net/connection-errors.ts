import {
  errorFromWire,
  errorOf,
  type UdsError,
  type UdsErrorCode,
  type WireError,
} from '../protocol/errors.js';
import type { Message } from '../protocol/message.js';

/** What a peer may have sent in place of a hello. */
const NO_HELLO: readonly UdsErrorCode[] = ['FRAME_TOO_LARGE', 'UNKNOWN_TYPE', 'BAD_FRAME'];

/** A first frame that can't be read was no hello: it says nothing of limits or versions of ours. */
export function whereHelloWasDue(error: UdsError): UdsError {
  if (!NO_HELLO.includes(error.code)) return error;
  return errorOf('BAD_HELLO', 'The peer did not begin with a hello: it speaks another protocol.', error);
}

/** The system's reason for the end of a connection. */
export function lostBecause(error: Error & { code?: string }): UdsError {
  return errorOf(
    'CONNECTION_LOST',
    `The connection was lost: the system says ${error.code ?? error.message}.`,
    error,
  );
}

/** Every call on it had ended. */
export const connectionEnded = (): UdsError => errorOf('CONNECTION_LOST', 'The connection has ended.');

/** A peer that may stop reading is not waited for: it would wait too. @param options what the limit is made of. */
export function slowReader(limitBytes: number, options: string): UdsError {
  return errorOf(
    'SLOW_READER',
    `The peer did not read: more than ${limitBytes} bytes wait for it (${options}).`,
  );
}

/** A peer takes nothing: it may wait for us in the same way. */
export function standstill(slowReaderTimeoutMs: number): UdsError {
  return errorOf(
    'SLOW_READER',
    `The peer did not take a write for ${slowReaderTimeoutMs} ms while others waited behind it (option slowReaderTimeoutMs).`,
  );
}

/** Why a connection ends where an answer is an error and its dialect has no form for one. */
export function toldBare({ isTransportError, payload }: Message): UdsError {
  if (isTransportError) return errorFromWire(payload as WireError);
  return errorOf(
    'HANDLER_FAILED',
    'The handler failed; raw bytes have no form for an error, so the connection ends.',
  );
}
