// Frames of the binary dialect, by the page (docs/PROTOCOL.md) and not by our encoder.
export const TYPE = {
  HELLO: 1,
  REQUEST: 3,
  EVENT: 4,
  RESPONSE: 5,
  NEXT: 6,
  ERROR: 8,
  CANCEL: 9,
  CREDIT: 10,
  PING: 11,
  PONG: 12,
  GOAWAY: 13,
};
export const KIND = { NONE: 0, JSON: 1, TEXT: 2, BYTES: 3 };

export const u32 = (value) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};

/** @param length of a body that is announced; that of the body that is there, unless it is given. */
export function frame(type, id, flags = 0, body = Buffer.alloc(0), length = body.length) {
  return Buffer.concat([u32(length), u32(id), Buffer.from([type, flags]), body]);
}

/** Of a client that takes frames of so many bytes. */
export function hello(maxFrameBytes) {
  const body = Buffer.alloc(29);
  body.write('NUDS');
  body.writeUInt8(1, 4);
  body.writeUInt8(1, 5);
  body.writeUInt32BE(maxFrameBytes, 12);
  return frame(TYPE.HELLO, 0, 0, body);
}

export function call(type, id, kind, { pattern, payload, metadata = '', timeoutMs = 0, credit = 0 }) {
  const lengths = Buffer.alloc(4);
  lengths.writeUInt16BE(Buffer.byteLength(pattern), 0);
  lengths.writeUInt16BE(Buffer.byteLength(metadata), 2);
  const head = [u32(timeoutMs), u32(credit), lengths, Buffer.from(pattern), Buffer.from(metadata)];
  return frame(type, id, kind, Buffer.concat([...head, Buffer.from(payload)]));
}

/** A packet of nest-json. */
export function packet(value) {
  const text = JSON.stringify(value);
  return Buffer.from(`${text.length}#${text}`);
}
