import { readFileSync } from 'node:fs';
import { FrameType } from '../../src/protocol/frame.js';
import { Message } from '../../src/protocol/message.js';
import { PayloadKind, payloadKindOf } from '../../src/protocol/payload-codec.js';

type TypeName = keyof typeof FrameType;

/** A message as vectors.json writes it: free of our names for things, so that any language can read it. */
export interface VectorMessage {
  readonly type: TypeName;
  readonly id: number;
  readonly timeoutMs?: number;
  readonly credit?: number;
  readonly pattern?: string;
  readonly metadata?: Readonly<Record<string, string>> | null;
  readonly payload?: VectorPayload;
  readonly envelope?: true;
  readonly transport?: true;
  readonly final?: true;
  readonly hello?: VectorHello;
}

type VectorPayload =
  | { readonly kind: 'none' }
  | { readonly kind: 'json'; readonly json: string }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'bytes'; readonly hex: string };

interface VectorHello {
  readonly from: number;
  readonly to: number;
  readonly chosen: number;
  readonly features: number;
  readonly maxFrameBytes: number;
  readonly maxInFlight: number;
  readonly maxEvents: number;
  readonly pid: number;
  readonly name: string;
}

interface Vector {
  readonly name: string;
  readonly says: string;
  readonly hex: string;
}

/** The same in a dialect whose peers choose their ids: as it stands in the text, null where the text names none. No credit. */
export type TextMessage = Omit<VectorMessage, 'id' | 'credit'> & { readonly id?: unknown };

/** What an end writes in a dialect without a hello: text, or bytes where it is none. */
export interface TextVector {
  readonly name: string;
  readonly says: string;
  readonly from: 'client' | 'server';
  readonly text?: string;
  readonly hex?: string;
}

export interface TextVectors {
  readonly valid: readonly (TextVector & { readonly message: TextMessage })[];
  /** Read as their message, which is written otherwise. */
  readonly accepted: readonly (TextVector & { readonly message: TextMessage })[];
  /** `maxFrameBytes` where the limit is the point; of a call `id` is whose it is. */
  readonly invalid: readonly (TextVector & {
    readonly code: string;
    readonly scope: 'connection' | 'call';
    readonly id?: unknown;
    readonly maxFrameBytes?: number;
  })[];
}

interface Vectors {
  readonly ndjson: TextVectors;
  readonly 'nest-json': TextVectors;
  readonly raw: {
    readonly valid: readonly (Vector & {
      readonly from: 'client' | 'server';
      readonly message: VectorMessage;
    })[];
  };
  readonly valid: readonly (Vector & { readonly message: VectorMessage })[];
  /** `scope` is what ends: the connection, or the call alone. */
  readonly invalid: readonly (Vector & { readonly code: string; readonly scope: 'connection' | 'call' })[];
  /** Frames that a receiver skips. */
  readonly skipped: readonly Vector[];
}

export const vectors = JSON.parse(
  readFileSync(new URL('./vectors.json', import.meta.url), 'utf8'),
) as Vectors;

export function bytesOf(name: string): Buffer {
  const vector = [...vectors.valid, ...vectors.invalid, ...vectors.skipped].find(
    (each) => each.name === name,
  );
  if (vector === undefined) throw new Error(`There is no vector ${name}.`);
  return Buffer.from(vector.hex, 'hex');
}

export function textBytesOf({ text = '', hex }: TextVector): Buffer {
  return hex === undefined ? Buffer.from(text) : Buffer.from(hex, 'hex');
}

/** The message that a vector of a text dialect means. */
export function textMessageFrom({ id, ...rest }: TextMessage): Message {
  const message = messageFrom({ ...rest, id: 0 });
  message.peerId = id;
  return message;
}

/** The message that a vector means. */
export function messageFrom(vector: VectorMessage): Message {
  const message = new Message(FrameType[vector.type], vector.id);
  message.timeoutMs = vector.timeoutMs ?? 0;
  message.credit = vector.credit ?? 0;
  message.pattern = vector.pattern ?? '';
  message.metadata = vector.metadata ?? undefined;
  message.isEnveloped = vector.envelope ?? false;
  message.isTransportError = vector.transport ?? false;
  message.isFinal = vector.final ?? false;
  if (vector.payload !== undefined) message.payload = valueOf(vector.payload);
  if (vector.hello !== undefined) {
    const { from, to, ...rest } = vector.hello;
    message.hello = { versionFrom: from, versionTo: to, ...rest };
  }
  return message;
}

function valueOf(payload: VectorPayload): unknown {
  switch (payload.kind) {
    case 'none':
      return undefined;
    case 'json':
      return JSON.parse(payload.json);
    case 'text':
      return payload.text;
    case 'bytes':
      return Buffer.from(payload.hex, 'hex');
  }
}

const CALLS: readonly TypeName[] = ['REQUEST', 'EVENT'];
const WITH_PAYLOAD: readonly TypeName[] = [
  ...CALLS,
  ...(['RESPONSE', 'NEXT', 'COMPLETE', 'ERROR', 'GOAWAY'] as const),
];

export function typeName(type: number): TypeName {
  const name = Object.entries(FrameType).find(([, number]) => number === type)?.[0];
  if (name === undefined) throw new Error(`There is no type ${type}.`);
  return name as TypeName;
}

/** A message as vectors.json would write it. */
export function vectorOf(message: Message): VectorMessage {
  const parts = partsOf(message);
  const hasCredit = CALLS.includes(parts.type) || parts.type === 'CREDIT';
  return { ...parts, id: message.id, ...(hasCredit && { credit: message.credit }) };
}

/** A message as vectors.json would write it in a text dialect: a client reads ids that are its own. */
export function textVectorOf(message: Message): TextMessage {
  const { id, peerId } = message;
  const textId = peerId === undefined && id !== 0 ? id : peerId;
  return { ...partsOf(message), ...(textId !== undefined && { id: textId }) };
}

function partsOf(message: Message): Omit<VectorMessage, 'id' | 'credit'> {
  const type = typeName(message.type);
  const { hello } = message;
  return {
    type,
    ...(hello && { hello: vectorHelloOf(hello) }),
    ...(CALLS.includes(type) && {
      timeoutMs: message.timeoutMs,
      pattern: message.pattern,
      metadata: message.metadata ?? null,
    }),
    ...(WITH_PAYLOAD.includes(type) && { payload: vectorPayloadOf(message.payload) }),
    ...(message.isEnveloped && { envelope: true }),
    ...(message.isTransportError && { transport: true }),
    ...(message.isFinal && { final: true }),
  };
}

function vectorHelloOf({ versionFrom, versionTo, ...rest }: NonNullable<Message['hello']>): VectorHello {
  return { from: versionFrom, to: versionTo, ...rest };
}

function vectorPayloadOf(value: unknown): VectorPayload {
  switch (payloadKindOf(value)) {
    case PayloadKind.NONE:
      return { kind: 'none' };
    case PayloadKind.TEXT:
      return { kind: 'text', text: value as string };
    case PayloadKind.BYTES:
      return { kind: 'bytes', hex: Buffer.from(value as Uint8Array).toString('hex') };
    default:
      return { kind: 'json', json: JSON.stringify(value) };
  }
}
