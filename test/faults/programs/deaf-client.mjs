// Asks and never reads: so many requests in one dialect, on one connection, as fast as the server takes them.
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { CALLS, OPENINGS } from './dialects.mjs';
import { settings } from './settings.mjs';

const { path, dialect, requests, bytes } = settings;
/** A socket that is not read does not hear of the end: a write tells. */
const LOOK_MS = 50;

const socket = connect(path);
const ended = new Promise((resolve) => socket.once('close', resolve));
socket.on('error', () => undefined);
socket.write(OPENINGS[dialect]);
const data = 'x'.repeat(bytes);
for (let id = 1; id <= requests && !socket.destroyed; id += 1) {
  if (!socket.write(CALLS[dialect](id, 'give', data)))
    await Promise.race([new Promise((resolve) => socket.once('drain', resolve)), ended]);
}
console.log('asked');
while (!socket.destroyed) {
  socket.write(' ');
  await delay(LOOK_MS);
}
console.log('cut');
