import { Buffer } from 'node:buffer';
import { JSON_FACTOR } from '../call.js';
import { CountedTextDecoder } from '../counted-text-decoder.js';
import { errorOf, type UdsError, type WireError } from '../errors.js';
import { FrameType } from '../frame.js';
import { Message, readMetadata } from '../message.js';
import { EncodedPayload, encodeJson, PayloadKind } from '../payload-codec.js';
import { TextPacker } from '../text-packer.js';
import type { Dialect } from './dialect.js';

/** What Nest's own server says, in these very words: `NO_MESSAGE_HANDLER` of @nestjs/microservices. */
const NO_HANDLER = 'There is no matching message handler defined in the remote service.';

/** Nest's own ids have 21 characters. */
const MAX_ID_LENGTH = 1024;

/** What Nest's `ClientTCP` and `ServerTCP` write to each other (docs/PROTOCOL.md, "nest-json"); the server's end alone. */
export class NestJsonDialect implements Dialect {
  readonly name = 'nest-json';
  readonly hasHello = false;
  readonly isBare = false;
  readonly mayStopReading = true;
  readonly hasPackets = true;
  readonly #texts: CountedTextDecoder;
  readonly #packer: TextPacker;

  constructor(maxFrameBytes: number) {
    this.#texts = new CountedTextDecoder(maxFrameBytes);
    this.#packer = new TextPacker(maxFrameBytes);
  }

  get unfinishedBytes(): number {
    return this.#texts.unfinishedBytes;
  }

  get unfinishedCost(): number {
    return this.unfinishedBytes * JSON_FACTOR;
  }

  get pendingBytes(): number {
    return this.#packer.pendingBytes;
  }

  get pendingFrames(): number {
    return this.#packer.pendingFrames;
  }

  decode(chunk: Buffer, receive: (message: Message) => void): void {
    this.#texts.push(chunk);
    for (let text = this.#texts.next(); text !== undefined; text = this.#texts.next()) receive(callOf(text));
  }

  end(): void {
    if (this.#texts.isMidText) throw errorOf('FRAME_CUT', 'The input ended inside a packet.');
  }

  encode(message: Message): number {
    const text = packetOf(message);
    return text === undefined ? 0 : this.#packer.append(`${text.length}#${text}`);
  }

  encodeLastWord(error: UdsError): void {
    const text = JSON.stringify({ err: error.toWire(), isDisposed: true });
    this.#packer.append(`${text.length}#${text}`);
  }

  take(): Buffer[] {
    return this.#packer.take();
  }
}

/** Whether a first byte is a digit: the beginning of a length. */
export const isDigit = (byte: number): boolean => byte >= 0x30 && byte <= 0x39;

/** @throws ProtocolError BAD_FRAME */
function callOf(text: string): Message {
  // As in Nest: what is nothing is an object without anything.
  const packet = (parse(text) || {}) as Readonly<Record<string, unknown>>;
  const { id, pattern = '', data, metadata } = packet;
  const message = new Message(id === undefined ? FrameType.EVENT : FrameType.REQUEST, 0);
  message.peerId = id;
  checkId(id);
  message.payload = data;
  message.credit = message.type === FrameType.REQUEST ? Infinity : 0;
  message.wireBytes = Buffer.byteLength(text);
  try {
    message.pattern = typeof pattern === 'string' ? pattern : patternText(pattern);
    readMetadata(metadata, message);
  } catch (error) {
    message.fault = error as UdsError;
  }
  return message;
}

/** Each answer names the id, an error too that is told in place of an answer: it must be writable, wherever that happens. */
function checkId(id: unknown): void {
  const length = typeof id === 'string' ? id.length : typeof id === 'object' ? textOf(id).length : 0;
  if (length > MAX_ID_LENGTH) {
    throw errorOf('BAD_FRAME', `The id of the packet is longer than ${MAX_ID_LENGTH} characters.`);
  }
}

/** The JSON text of what JSON.parse gave, which may be nested deeper than the stack of JSON.stringify. @throws ProtocolError BAD_FRAME */
function textOf(id: unknown): string {
  try {
    return JSON.stringify(id);
  } catch {
    throw errorOf('BAD_FRAME', 'The id of the packet is nested too deep.');
  }
}

/** @throws RemoteError BAD_PAYLOAD */
function patternText(pattern: unknown): string {
  try {
    return JSON.stringify(pattern);
  } catch {
    throw errorOf('BAD_PAYLOAD', 'The packet can not be read: its pattern is nested too deep.');
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw errorOf('BAD_FRAME', 'The packet is not valid JSON.');
  }
}

/** The packet of an answer, its keys in the order in which Nest writes them; undefined for what has no packet. */
function packetOf(message: Message): string | undefined {
  if (message.isEnveloped) return packetAsGiven(message.payload);
  const id = `"id":${JSON.stringify(message.peerId)}`;
  switch (message.type) {
    case FrameType.RESPONSE:
      return `{${member('response', message)}"isDisposed":true,${id}}`;
    case FrameType.NEXT:
      return `{${member('response', message)}${id}}`;
    case FrameType.COMPLETE:
      return `{"isDisposed":true,${id}}`;
    case FrameType.ERROR:
      return isNoHandler(message)
        ? `{${id},"status":"error","err":${JSON.stringify(NO_HANDLER)}}`
        : `{${member('err', message)}"isDisposed":true,${id}}`;
    default:
      return undefined;
  }
}

/** What the application's serializer made. @throws UsageError UNSERIALIZABLE_PAYLOAD where that is nothing: its call would never end. */
function packetAsGiven(packet: unknown): string {
  const json = jsonOf(packet);
  if (json === undefined) throw errorOf('UNSERIALIZABLE_PAYLOAD', 'The serializer made no packet.');
  return json;
}

const isNoHandler = ({ isTransportError, payload }: Message): boolean =>
  isTransportError && (payload as WireError).code === 'NO_HANDLER';

/** The payload under its key, and a comma; nothing where there is no value. */
function member(key: string, { payload }: Message): string {
  const json = jsonOf(payload);
  return json === undefined ? '' : `"${key}":${json},`;
}

/** @throws UsageError UNSERIALIZABLE_PAYLOAD */
function jsonOf(payload: unknown): string | undefined {
  if (!EncodedPayload.is(payload)) return payload === undefined ? undefined : encodeJson(payload);
  if (payload.kind === PayloadKind.NONE) return undefined;
  return payload.kind === PayloadKind.JSON ? String(payload.body) : encodeJson(payload.body);
}
