import { Buffer } from 'node:buffer';
import type { UdsError } from './errors.js';
import { errorOf, isWireError } from './errors.js';
import type { FrameEncoder } from './frame-encoder.js';
import { CALL_HEAD_BYTES, FrameFlag, FrameType, HEADER_BYTES, MAX_U16, type Frame } from './frame.js';
import { decodeHello, encodeHello, type Hello } from './hello.js';
import {
  bytesOf,
  checkMetadata,
  decodeMetadata,
  decodePayload,
  decodeText,
  EncodedPayload,
  encodeJson,
  PayloadKind,
  payloadKindOf,
  type Metadata,
} from './payload-codec.js';

/**
 * What a frame means, in every dialect. One class whose fields are always all there, in one order: the engine
 * then compiles the hot path for one shape (a union of literals was measured at twice the cost).
 */
export class Message {
  /** What the handler or the caller gave; `undefined` is "no value". */
  payload: unknown = undefined;
  pattern = '';
  metadata: Metadata | undefined = undefined;
  /** Time left until the first answer, 0 if there is no limit. */
  timeoutMs = 0;
  /** Bytes in a REQUEST or CREDIT for a call, events in a CREDIT with id 0. */
  credit = 0;
  /** The payload is a whole packet of the application's own serializer. */
  isEnveloped = false;
  /** On ERROR: the payload is a WireError of the transport. */
  isTransportError = false;
  /** On GOAWAY: the sender is about to close. */
  isFinal = false;
  hello: Hello | undefined = undefined;
  /** How long the metadata is on the wire. */
  metadataBytes = 0;
  /** Why payload or metadata could not be read. It ends the call, not the connection. */
  fault: UdsError | undefined = undefined;
  /** What the frame cost on the wire, header included; what stream credit counts. */
  wireBytes = 0;
  /**
   * The id as the peer spells it, in a dialect whose peers choose their own; null where it gave none. Such a request has no
   * other id before a session has taken it.
   */
  peerId: unknown = undefined;

  constructor(
    readonly type: number,
    readonly id: number,
  ) {}
}

/** Reads metadata that a text dialect parsed with the rest; absent is none. @throws RemoteError BAD_METADATA */
export function readMetadata(value: unknown, message: Message): void {
  if (value === undefined) return;
  message.metadata = checkMetadata(value);
  message.metadataBytes = Buffer.byteLength(encodeJson(message.metadata));
}

const badFrame = (reason: string): UdsError =>
  errorOf('BAD_FRAME', `The peer sent a broken frame: ${reason}.`);

/**
 * Reads one frame.
 *
 * @throws ProtocolError BAD_FRAME, BAD_HELLO. A payload or metadata that can't be read is no throw: see `fault`.
 */
export function decodeMessage(frame: Frame): Message {
  const message = new Message(frame.type, frame.id);
  message.wireBytes = HEADER_BYTES + frame.end - frame.start;
  switch (frame.type) {
    case FrameType.REQUEST:
    case FrameType.EVENT:
      decodeCall(frame, message);
      break;
    case FrameType.RESPONSE:
    case FrameType.NEXT:
    case FrameType.COMPLETE:
    case FrameType.ERROR:
      decodeAnswer(frame, message);
      break;
    case FrameType.CLIENT_HELLO:
    case FrameType.SERVER_HELLO:
      if (frame.id !== 0) throw badFrame('a hello has no id');
      message.hello = decodeHello(frame.bytes, frame.start, frame.end);
      break;
    case FrameType.CREDIT:
      if (frame.end - frame.start !== 4) throw badFrame('CREDIT must have 4 bytes');
      message.credit = frame.bytes.readUInt32BE(frame.start);
      break;
    case FrameType.GOAWAY:
      message.isFinal = (frame.flags & FrameFlag.FINAL) !== 0;
      if (!message.isFinal && frame.id !== 0) throw badFrame('a GOAWAY without FINAL names no id');
      readPayload(frame, frame.start, message);
      if (message.fault !== undefined || (message.payload !== undefined && !isWireError(message.payload)))
        throw badFrame('a reason needs a code and a message');
      break;
    default:
      if (frame.end !== frame.start) throw badFrame(`type ${frame.type} must be empty`);
  }
  return message;
}

function decodeCall(frame: Frame, message: Message): void {
  const { bytes, start, end } = frame;
  const isRequest = frame.type === FrameType.REQUEST;
  if (end - start < CALL_HEAD_BYTES) throw badFrame('the head of a call is cut');
  if (isRequest === (frame.id === 0)) throw badFrame('a REQUEST needs an id and an EVENT has none');
  message.isEnveloped = (frame.flags & FrameFlag.ENVELOPE) !== 0;
  message.timeoutMs = bytes.readUInt32BE(start);
  message.credit = bytes.readUInt32BE(start + 4);
  if (!isRequest && message.credit !== 0) throw badFrame('an EVENT has no credit');
  const patternStart = start + CALL_HEAD_BYTES;
  const metadataStart = patternStart + bytes.readUInt16BE(start + 8);
  const payloadStart = metadataStart + bytes.readUInt16BE(start + 10);
  if (payloadStart > end) throw badFrame('pattern and metadata run past the end');
  message.pattern = decodePattern(bytes, patternStart, metadataStart);
  if (message.isEnveloped && metadataStart > patternStart)
    throw badFrame('an enveloped call names no pattern');
  message.metadataBytes = payloadStart - metadataStart;
  if (message.metadataBytes > 0) {
    try {
      message.metadata = decodeMetadata(bytes, metadataStart, payloadStart);
    } catch (error) {
      message.fault = error as UdsError;
    }
  }
  readPayload(frame, payloadStart, message);
}

function decodePattern(bytes: Buffer, start: number, end: number): string {
  try {
    return decodeText(bytes, start, end);
  } catch {
    throw badFrame('the pattern is not valid UTF-8');
  }
}

function decodeAnswer(frame: Frame, message: Message): void {
  if (frame.id === 0) throw badFrame('an answer needs an id');
  message.isEnveloped = (frame.flags & FrameFlag.ENVELOPE) !== 0;
  readPayload(frame, frame.start, message);
  if (frame.type === FrameType.COMPLETE) {
    if ((frame.flags & FrameFlag.PAYLOAD_KIND) !== PayloadKind.NONE && !message.isEnveloped)
      throw badFrame('COMPLETE carries a packet or nothing');
  } else if (frame.type === FrameType.ERROR && (frame.flags & FrameFlag.TRANSPORT) !== 0) {
    message.isTransportError = true;
    if (!isWireError(message.payload)) throw badFrame('an error of the transport needs a code and a message');
  }
}

function readPayload(frame: Frame, start: number, message: Message): void {
  const kind = frame.flags & FrameFlag.PAYLOAD_KIND;
  if (kind === PayloadKind.NONE) {
    if (start !== frame.end) throw badFrame('there are bytes behind a payload of kind none');
    return;
  }
  try {
    message.payload = decodePayload(kind, frame.bytes, start, frame.end, frame.ownsBytes);
  } catch (error) {
    message.fault ??= error as UdsError;
  }
}

/**
 * Writes one message as a frame; gives how many bytes the frame has, header included.
 *
 * @param maxFrameBytes the longest body that the peer takes.
 * @throws UsageError UNSERIALIZABLE_PAYLOAD, PAYLOAD_TOO_LARGE, METADATA_TOO_LARGE, INVALID_PATTERN; nothing of the
 * frame is left in the encoder then.
 */
export function encodeMessage(message: Message, encoder: FrameEncoder, maxFrameBytes: number): number {
  // Everything that can throw happens before the frame begins.
  const { payload } = message;
  const isEncoded = EncodedPayload.is(payload);
  const kind = isEncoded ? payload.kind : payloadKindOf(payload);
  const body = isEncoded ? payload.body : bodyOf(payload, kind);
  const metadata = message.metadata === undefined ? '' : encodeJson(message.metadata);
  // A character takes a byte at least: what can't fit is not even copied.
  if (body.length > maxFrameBytes) throw tooLarge(body.length, maxFrameBytes);
  encoder.begin(message.type, kind | flagsOf(message), message.id);
  if (message.type === FrameType.REQUEST || message.type === FrameType.EVENT) {
    encodeCallHead(message, metadata, encoder);
  } else if (message.type === FrameType.CREDIT) {
    encoder.appendU32(message.credit);
  } else if (message.hello !== undefined) {
    encodeHello(message.hello, encoder);
  }
  if (kind === PayloadKind.BYTES) encoder.appendBytes(body as Uint8Array);
  else if (kind !== PayloadKind.NONE) encoder.appendText(body as string);
  const length = encoder.bodyBytes;
  if (length > maxFrameBytes) {
    encoder.rollback();
    throw tooLarge(length, maxFrameBytes);
  }
  encoder.end();
  return HEADER_BYTES + length;
}

function tooLarge(length: number, maxFrameBytes: number): UdsError {
  return errorOf(
    'PAYLOAD_TOO_LARGE',
    `The payload makes a frame of ${length} bytes; the peer takes ${maxFrameBytes} (its option maxFrameBytes).`,
  );
}

/** What is written of a value: text, bytes, or nothing of `undefined`. */
function bodyOf(payload: unknown, kind: number): string | Uint8Array {
  if (kind === PayloadKind.JSON) return encodeJson(payload);
  if (kind === PayloadKind.BYTES) return bytesOf(payload as Uint8Array);
  return kind === PayloadKind.TEXT ? (payload as string) : '';
}

function flagsOf(message: Message): number {
  let flags = 0;
  if (message.isEnveloped) flags |= FrameFlag.ENVELOPE;
  if (message.isTransportError) flags |= FrameFlag.TRANSPORT;
  if (message.isFinal) flags |= FrameFlag.FINAL;
  if (message.type === FrameType.TAKEOVER) flags |= FrameFlag.SKIPPABLE;
  return flags;
}

function encodeCallHead(message: Message, metadata: string, encoder: FrameEncoder): void {
  encoder.appendU32(message.timeoutMs);
  encoder.appendU32(message.credit);
  encoder.appendU16(0);
  encoder.appendU16(0);
  const patternBytes = encoder.appendText(message.pattern);
  const metadataBytes = metadata === '' ? 0 : encoder.appendText(metadata);
  if (patternBytes > MAX_U16 || metadataBytes > MAX_U16) {
    encoder.rollback();
    if (metadataBytes > MAX_U16) {
      throw errorOf(
        'METADATA_TOO_LARGE',
        `The metadata has ${metadataBytes} bytes as JSON; at most ${MAX_U16} fit a frame.`,
      );
    }
    throw errorOf(
      'INVALID_PATTERN',
      `The pattern has ${patternBytes} bytes; at most ${MAX_U16} are allowed.`,
    );
  }
  encoder.patchU16(8, patternBytes);
  encoder.patchU16(10, metadataBytes);
}
