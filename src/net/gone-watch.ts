import { Buffer } from 'node:buffer';
import type { Socket } from 'node:net';

const NOTHING = Buffer.alloc(0);

/** What is looked at of the connection. */
export interface GoneWatchOwner {
  /** Whether somebody waits for answers here. */
  isAwaited(): boolean;
}

/**
 * Notices that a peer which waits for answers has gone, in a dialect that has no PING: an end of its input may mean no more than
 * that, and who is not read is not heard to end. A write of no bytes puts nothing on the wire, and fails with EPIPE where nobody
 * can read any more (Linux: unix_stream_sendmsg in net/unix/af_unix.c); a peer that has only ended its input reads on, and sees
 * nothing of it. The socket emits the error as any other.
 *
 * Where nobody waits for answers nothing is lost with a peer that has gone, and what it has sent is read to its end.
 */
export class GoneWatch {
  #timer: NodeJS.Timeout | undefined;

  /** @param intervalMs how often it is looked; 0 is never. */
  constructor(
    private readonly socket: Socket,
    private readonly intervalMs: number,
    private readonly owner: GoneWatchOwner,
  ) {}

  start(): void {
    if (this.intervalMs > 0) this.#timer = setInterval(() => this.look(), this.intervalMs).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  look(): void {
    const { socket } = this;
    const isUnheard = socket.isPaused() || socket.readableEnded;
    // A write that waits already tells by itself.
    if (isUnheard && socket.writableLength === 0 && this.owner.isAwaited()) socket.write(NOTHING);
  }
}
