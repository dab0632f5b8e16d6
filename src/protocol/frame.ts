/**
 * The frame: a header of 10 bytes, then a body (docs/PROTOCOL.md, "Frames").
 *
 *   0        4        8      9       10
 *   | length |   id   | type | flags | body of `length` bytes
 */
export const HEADER_BYTES = 10;

export const FrameType = {
  CLIENT_HELLO: 1,
  SERVER_HELLO: 2,
  REQUEST: 3,
  EVENT: 4,
  RESPONSE: 5,
  NEXT: 6,
  COMPLETE: 7,
  ERROR: 8,
  CANCEL: 9,
  CREDIT: 10,
  PING: 11,
  PONG: 12,
  GOAWAY: 13,
  TAKEOVER: 14,
} as const;

export const FrameFlag = {
  PAYLOAD_KIND: 0x03,
  ENVELOPE: 0x04,
  /** On ERROR: the transport's own error. */
  TRANSPORT: 0x08,
  /** On GOAWAY: about to close. The same bit as TRANSPORT; the type tells them apart. */
  FINAL: 0x08,
  SKIPPABLE: 0x80,
} as const;

/** How long the head of a REQUEST or EVENT body is: timeoutMs, credit, patternBytes, metadataBytes. */
export const CALL_HEAD_BYTES = 12;

/** The most that pattern and metadata may have: their lengths are u16. */
export const MAX_U16 = 0xffff;
export const MAX_U32 = 0xffffffff;

const { PAYLOAD_KIND, ENVELOPE, TRANSPORT, FINAL, SKIPPABLE } = FrameFlag;

/** Which flags a type defines; every other bit must be 0. Index: the type. */
export const FLAGS_OF_TYPE: readonly number[] = [
  0, // there is no type 0
  0, // CLIENT_HELLO
  0, // SERVER_HELLO
  PAYLOAD_KIND | ENVELOPE, // REQUEST
  PAYLOAD_KIND | ENVELOPE, // EVENT
  PAYLOAD_KIND | ENVELOPE, // RESPONSE
  PAYLOAD_KIND | ENVELOPE, // NEXT
  PAYLOAD_KIND | ENVELOPE, // COMPLETE
  PAYLOAD_KIND | ENVELOPE | TRANSPORT, // ERROR
  0, // CANCEL
  0, // CREDIT
  0, // PING
  0, // PONG
  PAYLOAD_KIND | FINAL, // GOAWAY
  SKIPPABLE, // TAKEOVER: a server that does not know it goes on
];

/**
 * One frame as it lies in a chunk. The decoder fills the same object again for every frame: read it before the
 * next is taken. `bytes` belongs to the decoder unless `ownsBytes` says that it was allocated for this frame
 * alone; then whoever reads the frame may keep parts of it.
 *
 *   bytes  ....[ body ]....
 *              ^start  ^end
 */
export interface Frame {
  type: number;
  flags: number;
  id: number;
  bytes: Buffer;
  start: number;
  end: number;
  ownsBytes: boolean;
}
