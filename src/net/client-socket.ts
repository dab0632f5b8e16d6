import { Buffer } from 'node:buffer';
import { createConnection, type Socket } from 'node:net';
import type { Dialect } from '../protocol/dialects/dialect.js';

/** As much as a Unix socket holds by default on Linux (net.core.wmem_default) and a little more: what is there is read in one go. */
const READ_BYTES = 256 * 1024;

/**
 * What all sockets of clients are read into, one after the other. Without it Node makes new memory of 64 KiB for each read, however
 * little comes.
 */
let memory: Buffer | undefined;

type Take = (chunk: Buffer) => void;

/** Who takes what comes on a socket that is read so. Nothing comes before somebody does: that is in the tick in which it connects. */
const takers = new WeakMap<Socket, Take | undefined>();

/** Connects. Where the dialect lets go of what it has read no `data` is emitted: `readFrom` gives it. */
export function openSocket(path: string, dialect: Dialect): Socket {
  if (dialect.letGo === undefined) return createConnection({ path });
  const buffer = (memory ??= Buffer.allocUnsafeSlow(READ_BYTES));
  const callback = (bytes: number): boolean => {
    takers.get(socket)?.(buffer.subarray(0, bytes));
    dialect.letGo?.();
    return true;
  };
  const socket = createConnection({ path, onread: { buffer, callback } });
  takers.set(socket, undefined);
  return socket;
}

/** Has `take` read each chunk that comes on a socket, of a client or a server. */
export function readFrom(socket: Socket, take: Take): void {
  if (takers.has(socket)) takers.set(socket, take);
  else socket.on('data', take);
}
