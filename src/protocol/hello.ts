import type { Buffer } from 'node:buffer';
import { errorOf } from './errors.js';
import type { FrameEncoder } from './frame-encoder.js';

/** The versions of the binary protocol that this package speaks. */
export const VERSION_FROM = 1;
export const VERSION_TO = 1;

/** What every server grants before its SERVER_HELLO (docs/PROTOCOL.md, "Opening"). */
export const FLOOR_IN_FLIGHT = 16;
export const FLOOR_EVENTS = 16;
export const FLOOR_FRAME_BYTES = 65_536;

/** A hello body is at most this long, so that a first frame can be refused on its header. */
export const MAX_HELLO_BYTES = 1024;

/** Bits of `features` in a SERVER_HELLO (docs/PROTOCOL.md, "Hello"). */
export const Feature = {
  /** The server knows TAKEOVER. */
  TAKEOVER: 0x01,
} as const;

const MAGIC = 0x4e554453; // "NUDS"
const FIXED_BYTES = 29;
const MAX_NAME_BYTES = 255;

/** What an end tells of itself when a connection opens. The layout is frozen for all versions. */
export interface Hello {
  readonly versionFrom: number;
  readonly versionTo: number;
  /** In SERVER_HELLO the version in force, 0 if there is none in common. */
  readonly chosen: number;
  readonly features: number;
  readonly maxFrameBytes: number;
  readonly maxInFlight: number;
  readonly maxEvents: number;
  readonly pid: number;
  readonly name: string;
}

/** The highest version that both speak, or 0. */
export function chooseVersion(offered: Hello): number {
  const version = Math.min(offered.versionTo, VERSION_TO);
  return version >= Math.max(offered.versionFrom, VERSION_FROM) ? version : 0;
}

/** Cuts a name to what a hello holds, without cutting a character. */
function nameBytesOf(name: string): Uint8Array {
  const target = new Uint8Array(MAX_NAME_BYTES);
  const { written } = new TextEncoder().encodeInto(name, target);
  return target.subarray(0, written);
}

export function encodeHello(hello: Hello, encoder: FrameEncoder): void {
  const name = nameBytesOf(hello.name);
  encoder.appendU32(MAGIC);
  encoder.appendU8(hello.versionFrom);
  encoder.appendU8(hello.versionTo);
  encoder.appendU8(hello.chosen);
  encoder.appendU8(0);
  encoder.appendU32(hello.features);
  encoder.appendU32(hello.maxFrameBytes);
  encoder.appendU32(hello.maxInFlight);
  encoder.appendU32(hello.maxEvents);
  encoder.appendU32(hello.pid);
  encoder.appendU8(name.length);
  encoder.appendBytes(name);
}

const badHello = (reason: string): Error => errorOf('BAD_HELLO', `The peer's hello is broken: ${reason}.`);

/** @throws ProtocolError BAD_HELLO */
export function decodeHello(bytes: Buffer, start: number, end: number): Hello {
  const length = end - start;
  if (length > MAX_HELLO_BYTES)
    throw badHello(`it has ${length} bytes, at most ${MAX_HELLO_BYTES} are allowed`);
  if (length < FIXED_BYTES) throw badHello(`it has ${length} bytes, at least ${FIXED_BYTES} are needed`);
  if (bytes.readUInt32BE(start) !== MAGIC) throw badHello('the magic is wrong');
  const nameBytes = bytes.readUInt8(start + 28);
  if (FIXED_BYTES + nameBytes > length) throw badHello('the name runs past its end');
  const hello: Hello = {
    versionFrom: bytes.readUInt8(start + 4),
    versionTo: bytes.readUInt8(start + 5),
    chosen: bytes.readUInt8(start + 6),
    features: bytes.readUInt32BE(start + 8),
    maxFrameBytes: bytes.readUInt32BE(start + 12),
    maxInFlight: bytes.readUInt32BE(start + 16),
    maxEvents: bytes.readUInt32BE(start + 20),
    pid: bytes.readUInt32BE(start + 24),
    name: bytes.toString('utf8', start + FIXED_BYTES, start + FIXED_BYTES + nameBytes),
  };
  if (hello.versionFrom > hello.versionTo) throw badHello('its lowest version is above its highest');
  if (hello.maxFrameBytes < FLOOR_FRAME_BYTES) {
    throw badHello(`it takes frames of ${hello.maxFrameBytes} bytes only, the floor is ${FLOOR_FRAME_BYTES}`);
  }
  return hello;
}
