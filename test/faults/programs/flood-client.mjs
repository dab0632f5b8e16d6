// Floods from `flood` to `calm`, with requests that were written beforehand and so cost it next to nothing: with as many in
// flight as the server allows, or, where it can not tell so, as fast as they are taken. It is calm once all are answered.
import { once } from 'node:events';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { settings } from './settings.mjs';
import { call, hello, KIND, packet, TYPE } from './wire.mjs';

/** So many requests are written at once. */
const { path, dialect, pattern = 'give', piece: PIECE = 256 } = settings;
/** With ids of their own: those of the first are free again when its turn comes. */
const PIECES = 400;
const NEWLINE = 0x0a;
const HASH = 0x23;
const PAYLOAD = '{"id":1}';

const count = (chunk, wanted) => chunk.reduce((sum, byte) => sum + (byte === wanted ? 1 : 0), 0);

const DIALECTS = {
  binary: {
    request: (id) => call(TYPE.REQUEST, id, KIND.JSON, { pattern, payload: PAYLOAD }),
    // Each answer is a header and the payload.
    answersIn: (chunk) => chunk.length / (10 + PAYLOAD.length),
    maxInFlight: 8 * PIECE,
    async open(socket) {
      socket.write(hello(65_536));
      await once(socket, 'data');
    },
  },
  ndjson: {
    request: (id) => Buffer.from(`{"id":${id},"pattern":"${pattern}","data":${PAYLOAD}}\n`),
    answersIn: (chunk) => count(chunk, NEWLINE),
    maxInFlight: Infinity,
    open: () => undefined,
  },
  'nest-json': {
    request: (id) => packet({ pattern, data: JSON.parse(PAYLOAD), id: `n${id}` }),
    // Behind the length of each.
    answersIn: (chunk) => count(chunk, HASH),
    maxInFlight: Infinity,
    open: () => undefined,
  },
  raw: {
    // Which bytes are one call is for the server to say: all of them come back.
    request: () => Buffer.from(PAYLOAD),
    answersIn: (chunk) => chunk.length / PAYLOAD.length,
    maxInFlight: Infinity,
    open: () => undefined,
  },
};

const { request, answersIn, maxInFlight, open } = DIALECTS[dialect];
const pieces = Array.from({ length: PIECES }, (_, piece) =>
  Buffer.concat(Array.from({ length: PIECE }, (_request, at) => request(1 + piece * PIECE + at))),
);
const socket = connect(path);
let turn = 0;
let isOn = false;
let inFlight = 0;
let answered = 0;
let onCalm;

function write() {
  let isTaken = !socket.writableNeedDrain;
  while (isOn && isTaken && inFlight + PIECE <= maxInFlight) {
    inFlight += PIECE;
    isTaken = socket.write(pieces[turn % PIECES]);
    turn += 1;
  }
}

function read(chunk) {
  const answers = answersIn(chunk);
  answered += answers;
  inFlight -= answers;
  // Of a chunk that ends inside an answer a part was counted.
  if (inFlight < 0.001) onCalm?.();
  write();
}

const ORDERS = {
  flood() {
    isOn = true;
    write();
    console.log('it floods');
  },
  async calm() {
    const isCalm = new Promise((resolve) => (onCalm = resolve));
    isOn = false;
    if (inFlight > 0.001) await isCalm;
    console.log(`it is calm ${Math.round(answered)}`);
  },
};

await open(socket);
socket.on('data', read).on('drain', write);
console.log('ready');
for await (const order of createInterface({ input: process.stdin })) {
  if (order === 'end') break;
  await ORDERS[order]();
}
socket.end();
process.stdin.destroy();
