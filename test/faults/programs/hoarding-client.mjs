// Writes so many long requests that stay under way until it leaves; says how many bytes of them were taken so far when it is
// asked to (`count`), and ends when it is told to (`end`).
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { settings } from './settings.mjs';
import { call, hello, KIND, TYPE } from './wire.mjs';

const { path, requests, bytes } = settings;
const MAX_FRAME_BYTES = 65_536;

const socket = connect(path);
socket.on('error', () => undefined).resume();
socket.write(hello(MAX_FRAME_BYTES));
// What comes before the server has said its limits has the shortest one.
await new Promise((resolve) => socket.once('data', resolve));
const payload = 'x'.repeat(bytes);
let takenBytes = 0;

function ask(id) {
  if (id > requests || socket.destroyed) return;
  const request = call(TYPE.REQUEST, id, KIND.TEXT, { pattern: 'hoard', payload });
  socket.write(request, () => {
    takenBytes += request.length;
    ask(id + 1);
  });
}

ask(1);
console.log('under way');
for await (const order of createInterface({ input: process.stdin })) {
  if (order === 'count') console.log(JSON.stringify({ takenBytes }));
  if (order === 'end') break;
}
socket.destroy();
process.stdin.destroy();
