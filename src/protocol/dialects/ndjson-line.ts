import { Buffer } from 'node:buffer';
import { errorOf, isWireError, UdsError } from '../errors.js';
import { FrameType, MAX_U32 } from '../frame.js';
import { Message, readMetadata } from '../message.js';
import { bytesOf, EncodedPayload, encodeJson, payloadKindOf, PayloadKind } from '../payload-codec.js';

/** What one line holds. */
export type Line = Readonly<Record<string, unknown>>;

const MAX_ID_LENGTH = 256;

/** What a line of a client means; one that can't be read is a request whose `fault` is its answer. */
export function callOf(line: Line): Message {
  const { id } = line;
  const hasId = isId(id);
  try {
    if (id !== undefined && !hasId)
      throw badLine(`id must be a number, or a string of at most ${MAX_ID_LENGTH} characters`);
    if (line['cancel'] === true || line['ping'] === true) {
      if (!hasId) throw badLine('cancel and ping need an id');
      return messageFor(line['ping'] === true ? FrameType.PING : FrameType.CANCEL, id);
    }
    const message = messageFor(hasId ? FrameType.REQUEST : FrameType.EVENT, hasId ? id : undefined);
    message.pattern = patternIn(line);
    message.payload = valueIn(line, 'data');
    message.timeoutMs = timeoutIn(line);
    message.credit = Infinity;
    readMetadata(line['metadata'], message);
    return message;
  } catch (error) {
    if (!(error instanceof UdsError)) throw error;
    return unreadable(error, hasId ? id : null);
  }
}

/** A line that is answered by its fault. */
export function unreadable(fault: UdsError, id: unknown = null): Message {
  const message = messageFor(FrameType.REQUEST, id);
  message.fault = fault;
  return message;
}

/** What a line of a server means; undefined for one that belongs to no call. */
export function answerOf(line: Line): Message | undefined {
  const { id } = line;
  if (typeof id !== 'number' || !Number.isInteger(id) || id < 1 || id > MAX_U32) return undefined;
  if (line['pong'] === true) return new Message(FrameType.PONG, id);
  if (line['complete'] === true) return new Message(FrameType.COMPLETE, id);
  if (has(line, 'response')) return withValue(FrameType.RESPONSE, id, line, 'response');
  if (has(line, 'next')) return withValue(FrameType.NEXT, id, line, 'next');
  if (!has(line, 'error')) return undefined;
  const message = withValue(FrameType.ERROR, id, line, 'error');
  message.isTransportError = line['transport'] === true && isWireError(message.payload);
  return message;
}

/** The line of a message, without its end; undefined for what has no line. */
export function lineOf(message: Message): string | undefined {
  const id = `"id":${JSON.stringify(message.peerId ?? message.id)}`;
  switch (message.type) {
    case FrameType.REQUEST:
      return `{${id},${callMembers(message)}}`;
    case FrameType.EVENT:
      return `{${callMembers(message)}}`;
    case FrameType.CANCEL:
      return `{${id},"cancel":true}`;
    case FrameType.PING:
      return `{${id},"ping":true}`;
    case FrameType.PONG:
      return `{${id},"pong":true}`;
    case FrameType.RESPONSE:
      return message.payload === undefined
        ? `{${id},"complete":true}`
        : `{${id},${member('response', message)}}`;
    case FrameType.NEXT:
      return `{${id},${member('next', message)}}`;
    case FrameType.COMPLETE:
      return `{${id},"complete":true}`;
    case FrameType.ERROR:
      return errorLine(message, id);
    default:
      return undefined;
  }
}

function errorLine(message: Message, id: string): string {
  const transport = message.isTransportError ? ',"transport":true' : '';
  return `{${message.peerId === null ? '' : `${id},`}${member('error', message)}${transport}}`;
}

function messageFor(type: number, peerId: unknown): Message {
  const message = new Message(type, 0);
  message.peerId = peerId;
  return message;
}

const isId = (id: unknown): id is string | number =>
  Number.isFinite(id) || (typeof id === 'string' && id.length <= MAX_ID_LENGTH);

const has = (line: Line, key: string): boolean =>
  line[key] !== undefined || line[`${key}Bytes`] !== undefined;

const badLine = (reason: string): UdsError => errorOf('BAD_PAYLOAD', `The line can not be read: ${reason}.`);

function patternIn({ pattern }: Line): string {
  if (pattern == null) throw badLine('it names no pattern');
  if (typeof pattern === 'string') return pattern;
  try {
    return JSON.stringify(pattern);
  } catch {
    // What JSON.parse takes may be nested deeper than the stack of JSON.stringify.
    throw badLine('its pattern is nested too deep');
  }
}

function timeoutIn({ timeoutMs = 0 }: Line): number {
  const isGood =
    Number.isInteger(timeoutMs) && (timeoutMs as number) >= 0 && (timeoutMs as number) <= MAX_U32;
  if (!isGood) throw badLine(`timeoutMs must be a whole number from 0 to ${MAX_U32}`);
  return timeoutMs as number;
}

/** A value, or the bytes that stand under the key of their own. */
function valueIn(line: Line, key: string): unknown {
  const bytesKey = `${key}Bytes`;
  const text = line[bytesKey];
  if (text === undefined) return line[key];
  if (line[key] !== undefined) throw badLine(`it has both ${key} and ${bytesKey}`);
  if (typeof text !== 'string') throw badLine(`${bytesKey} must be base64`);
  const bytes = Buffer.from(text, 'base64');
  // Node's reader passes over what is no base64, so the length tells; and it takes another alphabet as well.
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  const isGood = bytes.length === (text.length / 4) * 3 - padding && !/[-_]/.test(text);
  if (!isGood) throw badLine(`${bytesKey} must be base64`);
  return bytes;
}

function withValue(type: number, id: number, line: Line, key: string): Message {
  const message = new Message(type, id);
  try {
    message.payload = valueIn(line, key);
  } catch (error) {
    message.fault = error as UdsError;
  }
  return message;
}

function callMembers(message: Message): string {
  const members = [`"pattern":${JSON.stringify(message.pattern)}`];
  if (message.payload !== undefined) members.push(member('data', message));
  if (message.metadata !== undefined) members.push(`"metadata":${encodeJson(message.metadata)}`);
  if (message.timeoutMs > 0) members.push(`"timeoutMs":${message.timeoutMs}`);
  return members.join(',');
}

/** The payload under its key. @throws UsageError UNSERIALIZABLE_PAYLOAD */
function member(key: string, { payload }: Message): string {
  if (EncodedPayload.is(payload)) return encodedMember(key, payload);
  switch (payloadKindOf(payload)) {
    case PayloadKind.NONE:
      return `"${key}":null`;
    case PayloadKind.BYTES:
      return `"${key}Bytes":"${bytesOf(payload as Uint8Array).toString('base64')}"`;
    default:
      return `"${key}":${encodeJson(payload)}`;
  }
}

function encodedMember(key: string, { kind, body }: EncodedPayload): string {
  if (kind === PayloadKind.NONE) return `"${key}":null`;
  if (kind === PayloadKind.BYTES) return `"${key}Bytes":"${bytesOf(body as Uint8Array).toString('base64')}"`;
  return `"${key}":${kind === PayloadKind.TEXT ? encodeJson(body) : String(body)}`;
}
