// Floods from `flood` to `calm`, with requests that were written beforehand and so cost it next to nothing: with as many in
// flight as the server allows, or, where it can not tell so, as fast as they are taken. It is calm once all are answered.
import { once } from 'node:events';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { settings } from './settings.mjs';
import { call, hello, KIND, TYPE } from './wire.mjs';

const { path, dialect } = settings;
const PIECE = 256;
/** With ids of their own: those of the first are free again when its turn comes. */
const PIECES = 400;
const NEWLINE = 0x0a;
const PAYLOAD = '{"id":1}';

const DIALECTS = {
  binary: {
    request: (id) => call(TYPE.REQUEST, id, KIND.JSON, { pattern: 'give', payload: PAYLOAD }),
    // Each answer is a header and the payload.
    answersIn: (chunk) => chunk.length / (10 + PAYLOAD.length),
    maxInFlight: 2048,
    async open(socket) {
      socket.write(hello(65_536));
      await once(socket, 'data');
    },
  },
  ndjson: {
    request: (id) => Buffer.from(`{"id":${id},"pattern":"give","data":${PAYLOAD}}\n`),
    answersIn: (chunk) => chunk.reduce((lines, byte) => lines + (byte === NEWLINE ? 1 : 0), 0),
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
