// One call in each dialect, by the page (docs/PROTOCOL.md), and how a connection begins in it.
export const HELLO = hello();

function hello() {
  const body = Buffer.alloc(29);
  body.write('NUDS');
  body.writeUInt8(1, 4);
  body.writeUInt8(1, 5);
  body.writeUInt32BE(16 * 1024 ** 2, 12);
  return frame(1, 0, 0, body);
}

function frame(type, id, flags, body) {
  const header = Buffer.alloc(10);
  header.writeUInt32BE(body.length, 0);
  header.writeUInt32BE(id, 4);
  header.writeUInt8(type, 8);
  header.writeUInt8(flags, 9);
  return Buffer.concat([header, body]);
}

/** Its payload is text. */
function binaryCall(id, pattern, text) {
  const head = Buffer.alloc(12);
  head.writeUInt16BE(pattern.length, 8);
  return frame(3, id, 2, Buffer.concat([head, Buffer.from(pattern), Buffer.from(text)]));
}

function packet(id, pattern, data) {
  const text = JSON.stringify({ pattern, data, id: `n${id}` });
  return Buffer.from(`${text.length}#${text}`);
}

export const CALLS = {
  binary: binaryCall,
  ndjson: (id, pattern, data) => Buffer.from(`${JSON.stringify({ id, pattern, data })}\n`),
  'nest-json': packet,
  raw: (_id, _pattern, data) => Buffer.from(data),
};

/** What a connection begins with. */
export const OPENINGS = {
  binary: HELLO,
  ndjson: Buffer.alloc(0),
  'nest-json': Buffer.alloc(0),
  raw: Buffer.alloc(0),
};
