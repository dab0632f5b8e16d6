import { errorOf, UdsError } from './errors.js';
import type { Message } from './message.js';
import type { SessionSettings } from './session-owner.js';

export const tooManyInFlight = (maxInFlight: number): UdsError =>
  errorOf(
    'TOO_MANY_REQUESTS',
    `${maxInFlight} requests are in flight on this connection already (option maxInFlight).`,
  );

/** @param factor see ABANDONED_FACTOR. */
export const tooManyAbandoned = (maxInFlight: number, factor: number): UdsError =>
  errorOf(
    'TOO_MANY_REQUESTS',
    `The handlers of ${factor * maxInFlight} requests of this connection still run that were cancelled or are out of time (${factor} times the option maxInFlight).`,
  );

/** All that the connection holds waits for its own credit: to wait for room would be for ever. */
export const noRoomLeft = (): UdsError =>
  errorOf(
    'TOO_MANY_REQUESTS',
    'The streams of this connection hold all the room that it may have, and wait for credit (option maxTotalBufferedBytes).',
  );

export const tooManyEvents = (maxEvents: number): UdsError =>
  errorOf(
    'TOO_MANY_EVENTS',
    `The peer sent an event without credit; ${maxEvents} may be under way (option maxEvents).`,
  );

/** @param id 0 where the peer has ids of its own. */
export const idInUse = (id: number): UdsError =>
  errorOf(
    'ID_IN_USE',
    `The peer used an id${id === 0 ? '' : ` (${id})`} for a second request while the first is in flight.`,
  );

/** Why a call is refused for its metadata, if it is. */
export const metadataRefusal = (
  { metadataBytes }: Message,
  { maxMetadataBytes }: SessionSettings,
): UdsError | undefined =>
  metadataBytes <= maxMetadataBytes
    ? undefined
    : errorOf(
        'METADATA_TOO_LARGE',
        `The metadata has ${metadataBytes} bytes; the limit is ${maxMetadataBytes} (option maxMetadataBytes).`,
      );

/** What the caller is told where its answer can't be written. */
export function unwritable(error: unknown): UdsError {
  if (error instanceof UdsError && error.code === 'PAYLOAD_TOO_LARGE')
    return errorOf('ANSWER_TOO_LARGE', error.message);
  return errorOf('UNSERIALIZABLE_ANSWER', 'The handler gave a value that can not be written as JSON.');
}
