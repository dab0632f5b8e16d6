import { errorOf, type UdsError, type UdsErrorCode } from '../protocol/errors.js';

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
