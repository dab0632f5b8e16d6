import type { Socket } from 'node:net';
import { pollPhase } from './poll-phase.js';

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

/** Lets the event loop look at its sockets, and gives whether something came on this one, or still lay in it. */
export async function hasReadMore(socket: Socket): Promise<boolean> {
  const { bytesRead, readableLength } = socket;
  // The first look may be the one in which we are.
  await pollPhase();
  await pollPhase();
  return readableLength + socket.readableLength > 0 || socket.bytesRead !== bytesRead;
}

function destroyAfter(socket: Socket, limitMs: number): void {
  const timer = setTimeout(() => socket.destroy(), limitMs).unref();
  socket.once('close', () => clearTimeout(timer));
}
