// Writes so many frames of one kind on one connection, then a PING and a request with ids of their own; says whether both were
// answered, which errors came, and of streams how many values, and how many of them without credit.
import { connect } from 'node:net';
import { settings } from './settings.mjs';
import { AT_ONCE, CREDIT_BYTES, KINDS, MAX_FRAME_BYTES } from './storms.mjs';
import { call, frame, hello, KIND, TYPE } from './wire.mjs';

const { path, kind, frames } = settings;
const HEADER_BYTES = 10;
const LAST_PING = 4_000_000_000;
const LAST_REQUEST = 4_000_000_001;
/** Its answer comes when what was asked before it has long begun. */
const LAST_MS = 100;

const awaited = new Set([LAST_PING, LAST_REQUEST]);
const errors = {};
const creditOf = new Map();
let values = 0;
let unpaid = 0;

/** A value may take the credit below nothing, and then none may come. */
function countValue(id, wireBytes) {
  const creditBytes = creditOf.get(id) ?? CREDIT_BYTES;
  values += 1;
  if (creditBytes <= 0) unpaid += 1;
  creditOf.set(id, creditBytes - wireBytes);
}

const READERS = {
  [TYPE.PONG]: (id) => awaited.delete(id),
  [TYPE.RESPONSE]: (id) => awaited.delete(id),
  [TYPE.NEXT]: (id, body) => countValue(id, HEADER_BYTES + body.length),
  [TYPE.ERROR](id, body) {
    const { code } = JSON.parse(body);
    if (!awaited.delete(id)) errors[code] = (errors[code] ?? 0) + 1;
  },
};

const socket = connect(path);
const closed = new Promise((resolve) => socket.once('close', resolve));
socket.on('error', () => undefined);
const answered = new Promise((resolve) => {
  let rest = Buffer.alloc(0);
  socket.on('data', (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    let at = 0;
    while (rest.length - at >= HEADER_BYTES) {
      const end = at + HEADER_BYTES + rest.readUInt32BE(at);
      if (end > rest.length) break;
      READERS[rest[at + 8]]?.(rest.readUInt32BE(at + 4), rest.subarray(at + HEADER_BYTES, end));
      at = end;
    }
    rest = rest.subarray(at);
    if (awaited.size === 0) resolve();
  });
});

socket.write(hello(MAX_FRAME_BYTES));
for (let from = 1; from <= frames && !socket.destroyed; from += AT_ONCE) {
  const count = Math.min(AT_ONCE, frames - from + 1);
  const chunk = Buffer.concat(Array.from({ length: count }, (_, index) => KINDS[kind](from + index)));
  if (!socket.write(chunk))
    await Promise.race([new Promise((resolve) => socket.once('drain', resolve)), closed]);
}
if (!socket.destroyed) {
  const last = { pattern: 'wait', payload: JSON.stringify({ ms: LAST_MS }) };
  socket.write(frame(TYPE.PING, LAST_PING));
  socket.write(call(TYPE.REQUEST, LAST_REQUEST, KIND.JSON, last));
}
const lives = await Promise.race([answered.then(() => true), closed.then(() => false)]);
console.log(JSON.stringify({ lives, errors, values, unpaid }));
socket.destroy();
