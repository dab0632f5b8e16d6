// Begins a frame in one dialect (or no more than its hello), sends the rest of it at a pace, and says what became of the connection.
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { CALLS, OPENINGS } from './dialects.mjs';
import { settings } from './settings.mjs';

const { path, dialect, bytes, firstBytes, stepBytes, stepMs, helloBytes } = settings;

const socket = connect(path);
const ended = new Promise((resolve) => socket.once('close', resolve));
socket.on('error', () => undefined);
let got = '';
socket.on('data', (chunk) => (got += chunk.toString('latin1')));
const startedMs = performance.now();
const call = CALLS[dialect](1, 'give', 'x'.repeat(bytes));
socket.write(Buffer.concat([OPENINGS[dialect].subarray(0, helloBytes), call.subarray(0, firstBytes)]));
for (let at = firstBytes; stepBytes > 0 && at < call.length && !socket.destroyed; at += stepBytes) {
  await Promise.race([delay(stepMs), ended]);
  if (!socket.destroyed) socket.write(call.subarray(at, at + stepBytes));
}
// Answered, or cut.
const whole = () => got.length >= bytes;
while (!socket.destroyed && !whole()) await Promise.race([delay(5), ended]);
console.log(JSON.stringify({ isAnswered: whole(), tookMs: performance.now() - startedMs }));
socket.destroy();
