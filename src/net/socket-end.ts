import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { pollPhase } from './poll-phase.js';

/**
 * How long a peer may take to write on where it was waited for: the system tells it that there is room, its loop comes to that,
 * and writes. One look at the sockets was measured to miss it on a machine with five times as much to do as it can.
 */
const QUIET_MS = 20;

/**
 * Says the end of our output and reads on to the peer's, dropping it. A socket that is destroyed while the peer still
 * writes would make the system throw away what the peer has not read yet, such as events or a last word.
 *
 * @param limitMs how long the peer may take to say its end; then the socket is destroyed.
 */
export function endAndReadOn(socket: Socket, limitMs: number): void {
  socket.end();
  socket.resume();
  destroyAfter(socket, limitMs);
}

/** Destroys the socket once what was written has left. @param limitMs how long that may take. */
export function endAndDestroy(socket: Socket, limitMs: number): void {
  socket.destroySoon();
  destroyAfter(socket, limitMs);
}

/** Waits a moment, and gives whether something came on this socket, or still lay in it. */
export async function hasReadMore(socket: Socket): Promise<boolean> {
  const { bytesRead, readableLength } = socket;
  await delay(QUIET_MS);
  // After a stall of this process what came meanwhile may lie unread.
  await pollPhase();
  return readableLength + socket.readableLength > 0 || socket.bytesRead !== bytesRead;
}

function destroyAfter(socket: Socket, limitMs: number): void {
  const timer = setTimeout(() => socket.destroy(), limitMs).unref();
  socket.once('close', () => clearTimeout(timer));
}
