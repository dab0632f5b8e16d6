import { Buffer, isAscii, isUtf8 } from 'node:buffer';
import { errorOf } from './errors.js';

/** How a payload is written; the values are the bits of the frame flags. */
export const PayloadKind = { NONE: 0, JSON: 1, TEXT: 2, BYTES: 3 } as const;

/** Values that travel beside a call: a trace id, a tenant. */
export type Metadata = Readonly<Record<string, string>>;

const REPLACEMENT = '\uFFFD';

/** From here on it is worth a look whether a text is ASCII: as Latin-1 that is read in three quarters of the time. */
const LONG_TEXT_BYTES = 8 * 1024;

/**
 * Reads UTF-8. Decoding replaces what is broken by U+FFFD and almost no text holds that character, so the slow
 * check runs only where it was seen.
 *
 * @throws RemoteError BAD_PAYLOAD where the bytes are no UTF-8, or more than a string holds.
 */
export function decodeText(bytes: Buffer, start: number, end: number): string {
  let text: string;
  try {
    const isPlain = end - start >= LONG_TEXT_BYTES && isAscii(bytes.subarray(start, end));
    text = bytes.toString(isPlain ? 'latin1' : 'utf8', start, end);
  } catch (error) {
    throw errorOf('BAD_PAYLOAD', 'The payload is longer than a string can be.', error);
  }
  if (text.includes(REPLACEMENT) && !isUtf8(bytes.subarray(start, end))) {
    throw errorOf('BAD_PAYLOAD', 'The payload is not valid UTF-8.');
  }
  return text;
}

function decodeJson(bytes: Buffer, start: number, end: number): unknown {
  const text = decodeText(bytes, start, end);
  try {
    return JSON.parse(text);
  } catch {
    throw errorOf('BAD_PAYLOAD', 'The payload is not valid JSON.');
  }
}

/**
 * Reads a payload of a kind other than none.
 *
 * @param ownsBytes whether `bytes` was allocated for this frame alone: bytes are then handed on as they lie,
 * else they are copied out of the chunk, which belongs to the socket.
 * @throws RemoteError BAD_PAYLOAD
 */
export function decodePayload(
  kind: number,
  bytes: Buffer,
  start: number,
  end: number,
  ownsBytes: boolean,
): unknown {
  if (kind === PayloadKind.JSON) return decodeJson(bytes, start, end);
  if (kind === PayloadKind.TEXT) return decodeText(bytes, start, end);
  const part = bytes.subarray(start, end);
  return ownsBytes ? part : Buffer.from(part);
}

/** Which kind a value travels as. */
export function payloadKindOf(value: unknown): number {
  if (value === undefined) return PayloadKind.NONE;
  if (typeof value === 'string') return value.isWellFormed() ? PayloadKind.TEXT : PayloadKind.JSON;
  // A Proxy is no view, so none of its traps runs: they may throw.
  return ArrayBuffer.isView(value) && value instanceof Uint8Array ? PayloadKind.BYTES : PayloadKind.JSON;
}

const TYPED_ARRAY = Object.getPrototypeOf(Uint8Array.prototype) as object;

/** A property of a typed array as the engine has it, whatever a subclass says. */
const intrinsic = (value: Uint8Array, name: 'buffer' | 'byteOffset' | 'byteLength'): unknown =>
  Reflect.get(TYPED_ARRAY, name, value);

/**
 * The memory of an array of bytes, as the engine knows it: a subclass may say anything of its length, and what it said
 * must not decide how much of our memory is sent.
 *
 * @throws UsageError UNSERIALIZABLE_PAYLOAD where its memory was handed to somebody else.
 */
export function bytesOf(value: Uint8Array): Buffer {
  try {
    const memory = intrinsic(value, 'buffer') as ArrayBuffer;
    return Buffer.from(
      memory,
      intrinsic(value, 'byteOffset') as number,
      intrinsic(value, 'byteLength') as number,
    );
  } catch (error) {
    throw errorOf(
      'UNSERIALIZABLE_PAYLOAD',
      'The memory of the bytes was transferred to somebody else.',
      error,
    );
  }
}

/**
 * A payload that was encoded ahead of its frame: its bytes can be counted while it waits, and a later change of the
 * value does it no harm. Give it as a message's payload in place of the value.
 */
export class EncodedPayload {
  readonly kind: number;
  readonly body: string | Uint8Array;
  readonly #mark = true;

  /** Unlike `instanceof` this runs no trap of a Proxy: it may throw. */
  static is(value: unknown): value is EncodedPayload {
    return typeof value === 'object' && value !== null && #mark in value;
  }

  /** @throws UsageError UNSERIALIZABLE_PAYLOAD */
  constructor(value: unknown) {
    this.kind = payloadKindOf(value);
    if (this.kind === PayloadKind.NONE) this.body = '';
    else if (this.kind === PayloadKind.BYTES) this.body = Buffer.from(bytesOf(value as Uint8Array));
    else this.body = this.kind === PayloadKind.TEXT ? (value as string) : encodeJson(value);
  }

  get byteLength(): number {
    return Buffer.byteLength(this.body);
  }
}

/**
 * The JSON text of a value.
 *
 * @throws UsageError UNSERIALIZABLE_PAYLOAD for what JSON can't hold: a function, a symbol, a BigInt, a cycle,
 * a `toJSON` or a getter that throws.
 */
export function encodeJson(value: unknown): string {
  // Not always a string, whatever its type says: a function or a symbol gives undefined.
  let text: unknown;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    throw errorOf('UNSERIALIZABLE_PAYLOAD', 'The value can not be written as JSON.', error);
  }
  if (typeof text !== 'string') {
    throw errorOf('UNSERIALIZABLE_PAYLOAD', `A ${typeof value} can not be written as JSON.`);
  }
  return text;
}

/** Whether a value is an object whose values are all strings; a key without a value is no key, as in JSON. */
export function isMetadata(value: unknown): value is Metadata {
  // A Map or a Headers has no keys of its own: its entries would be lost.
  if (Object.prototype.toString.call(value) !== '[object Object]') return false;
  return Object.values(value as object).every((entry) => typeof entry === 'string' || entry === undefined);
}

/** @throws RemoteError BAD_METADATA where the bytes are no JSON object of strings. */
export function decodeMetadata(bytes: Buffer, start: number, end: number): Metadata {
  let value: unknown;
  try {
    value = decodeJson(bytes, start, end);
  } catch {
    value = undefined;
  }
  return checkMetadata(value);
}

/** @throws RemoteError BAD_METADATA where a value is no object of strings. */
export function checkMetadata(value: unknown): Metadata {
  if (!isMetadata(value))
    throw errorOf('BAD_METADATA', 'Metadata must be a JSON object whose values are strings.');
  return value;
}
