import type { Socket } from 'node:net';
import type { Dialect } from '../protocol/dialects/dialect.js';
import type { IncomingCalls } from '../protocol/incoming-calls.js';
import type { CallStarter } from './call-starter.js';

/**
 * Stops the reading of one connection of a server while its peer must wait, and lets it go on. A client never stops
 * reading: two ends that both wait for the other to read would wait for ever.
 */
export class ReadGate {
  /** From the moment in which too much waits to be written until all of it has left. */
  #isBacklogged = false;

  constructor(
    private readonly socket: Socket,
    private readonly calls: IncomingCalls,
    private readonly starter: CallStarter,
    private readonly maxBufferedBytes: number,
  ) {}

  /** Something was written, or a chunk was read. */
  narrow(dialect: Dialect): void {
    const isCongested = this.socket.writableLength > this.maxBufferedBytes;
    if (isCongested && !dialect.mayStopReading) this.#isBacklogged = true;
    if (this.#mustWait(dialect)) this.socket.pause();
  }

  /** A call has ended. */
  widen(dialect: Dialect): void {
    if (this.socket.isPaused() && !this.#mustWait(dialect)) this.socket.resume();
  }

  /** All that waited to be written has left. */
  drained(dialect: Dialect): void {
    this.#isBacklogged = false;
    this.widen(dialect);
  }

  /** A peer that was told the limits keeps them; any other is held back here, also while calls wait for their turn. */
  #mustWait({ hasHello }: Dialect): boolean {
    return this.#isBacklogged || (!hasHello && (this.calls.isFull || this.starter.isHolding));
  }
}
