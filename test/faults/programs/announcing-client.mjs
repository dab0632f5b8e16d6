// Opens connections that each announce a frame and send only the beginning of it; says how many the server has ended so far
// when it is asked to (`count`), and ends when it is told to (`end`).
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { settings } from './settings.mjs';
import { frame, hello, TYPE } from './wire.mjs';

const { path, connections, announcedBytes, sentBytes } = settings;
const AT_ONCE = 50;

const announced = frame(TYPE.REQUEST, 1, 0, undefined, announcedBytes);
const beginning = Buffer.concat([hello(announcedBytes), announced]);
const body = Buffer.alloc(sentBytes, 'x');

const sockets = [];
let ended = 0;

function announce() {
  return new Promise((resolve) => {
    const socket = connect(path);
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => (ended += 1));
    // Its hello, the last it ever reads.
    socket.once('data', () => {
      socket.write(body);
      resolve();
    });
    socket.once('close', resolve);
    socket.write(beginning);
  });
}

for (let count = 0; count < connections; count += AT_ONCE)
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, connections - count) }, announce));
console.log('announced');
for await (const order of createInterface({ input: process.stdin })) {
  if (order === 'count') console.log(JSON.stringify({ ended }));
  if (order === 'end') break;
}
for (const socket of sockets) socket.destroy();
process.stdin.destroy();
