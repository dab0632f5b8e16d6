// Writes so many frames of one kind on one connection, then a PING with an id of its own; says whether that was answered, and
// how many frames came.
import { connect } from 'node:net';
import { settings } from './settings.mjs';
import { call, frame, hello, KIND, TYPE, u32 } from './wire.mjs';

const { path, kind, frames } = settings;
const AT_ONCE = 1000;
const MAX_FRAME_BYTES = 65_536;
const LAST_ID = 4_000_000_000;
const SKIPPABLE = 0x80;
const UNKNOWN = 77;

const ask = (id, pattern) => call(TYPE.REQUEST, id, KIND.TEXT, { pattern, payload: 'x' });

/** One frame of each kind; `n` counts. */
const KINDS = {
  'CANCELs of what is over': (n) => frame(TYPE.CANCEL, n),
  'CANCELs of what runs': (n) => Buffer.concat([ask(n, 'long'), frame(TYPE.CANCEL, n)]),
  // First a chunk of the ones, then of the others.
  'CANCELs of what runs on': (n) =>
    n % AT_ONCE <= AT_ONCE / 2 && n % AT_ONCE > 0
      ? call(TYPE.REQUEST, n, KIND.JSON, { pattern: 'wait', payload: '{"ms":1000}' })
      : frame(TYPE.CANCEL, n - AT_ONCE / 2),
  'CREDITs of what is over': (n) => frame(TYPE.CREDIT, n, 0, u32(2 ** 31)),
  'CREDITs of nobody': () => frame(TYPE.CREDIT, 0, 0, u32(2 ** 31)),
  PINGs: (n) => frame(TYPE.PING, n),
  PONGs: (n) => frame(TYPE.PONG, n),
  'unknown types that may be skipped': (n) => frame(UNKNOWN, n, SKIPPABLE, Buffer.from('?')),
  'unknown types': (n) => frame(UNKNOWN, n),
  HELLOs: () => hello(MAX_FRAME_BYTES),
  'reused ids': () => ask(7, 'long'),
  'requests past the limit': (n) => ask(n, 'long'),
};

const socket = connect(path);
const closed = new Promise((resolve) => socket.once('close', resolve));
socket.on('error', () => undefined);
const answered = new Promise((resolve) => {
  let rest = Buffer.alloc(0);
  socket.on('data', (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    let at = 0;
    for (; rest.length - at >= 10; at += 10 + rest.readUInt32BE(at)) {
      if (rest.readUInt32BE(at) > rest.length - at - 10) break;
      if (rest[at + 8] === TYPE.PONG && rest.readUInt32BE(at + 4) === LAST_ID) resolve();
    }
    rest = rest.subarray(at);
  });
});

socket.write(hello(MAX_FRAME_BYTES));
for (let from = 1; from <= frames && !socket.destroyed; from += AT_ONCE) {
  const count = Math.min(AT_ONCE, frames - from + 1);
  const chunk = Buffer.concat(Array.from({ length: count }, (_, index) => KINDS[kind](from + index)));
  if (!socket.write(chunk))
    await Promise.race([new Promise((resolve) => socket.once('drain', resolve)), closed]);
}
if (!socket.destroyed) socket.write(frame(TYPE.PING, LAST_ID));
const lives = await Promise.race([answered.then(() => true), closed.then(() => false)]);
console.log(JSON.stringify({ lives }));
socket.destroy();
