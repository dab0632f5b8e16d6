import type { UdsError, UdsErrorCode } from '../protocol/errors.js';

type TextOfCode = Readonly<Partial<Record<UdsErrorCode, string>>>;

/** In place of a message that names an option of the library, where the command line has one of its own. */
const INSTEAD: TextOfCode = { DEADLINE_EXCEEDED: 'No answer came within the time.' };

const TRY_AGAIN = 'Try again; the log of the server says more.';
const WRONG_DIALECT =
  'What answers there speaks something else: correct the path, or choose another dialect (send --dialect).';
const TOO_LONG = 'Send less, or raise the option maxFrameBytes of the server.';

/** What whoever sits at the command line can do next, where the message itself does not say it. */
const NEXT_STEP: TextOfCode = {
  HELLO_TIMEOUT: 'Wait longer with --timeout-ms, restart the server, or correct the path.',
  HELLO_LOST: TRY_AGAIN,
  SERVER_CLOSING: TRY_AGAIN,
  TOO_MANY_REQUESTS: TRY_AGAIN,
  CONNECTION_LOST: 'What was sent may have run: see the log of the server before you send it again.',
  DEADLINE_EXCEEDED: 'It may have run. Wait longer with --timeout-ms; 0 waits for ever.',
  BAD_FRAME: WRONG_DIALECT,
  FRAME_CUT: WRONG_DIALECT,
  UNEXPECTED_FRAME: WRONG_DIALECT,
  UNKNOWN_TYPE: WRONG_DIALECT,
  UNKNOWN_DIALECT:
    'Choose another one (send --dialect binary, ndjson or raw), or an endpoint that serves it: ping and health need one with binary.',
  VERSION_MISMATCH: 'Update the older one.',
  NO_HANDLER: 'Correct the pattern, or add a handler to the server.',
  HANDLER_FAILED: 'See the log of the server.',
  BAD_PAYLOAD: 'Correct the payload, or what the handler answers.',
  BAD_METADATA: 'Correct --metadata.',
  METADATA_TOO_LARGE: 'Send less --metadata, or raise the option maxMetadataBytes of the server.',
  PAYLOAD_TOO_LARGE: TOO_LONG,
  FRAME_TOO_LARGE: TOO_LONG,
  ANSWER_TOO_LARGE: 'Ask for less.',
  UNSERIALIZABLE_ANSWER: 'Correct what the handler answers.',
  STREAM_OVERFLOW: 'Read faster, or answer with an async generator.',
  UNKNOWN_REMOTE_ERROR: 'The server may be of a later version: update the command line.',
};

/** An error of the transport as the command line says it: what happened, and what to do next. */
export function sentencesOf({ code, message }: UdsError): string {
  const said = (INSTEAD[code] ?? message).replace(' (option path)', '');
  const next = NEXT_STEP[code];
  return next === undefined ? said : `${said} ${next}`;
}
