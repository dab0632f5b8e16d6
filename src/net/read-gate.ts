import type { Socket } from 'node:net';
import type { Dialect } from '../protocol/dialects/dialect.js';
import type { UdsError } from '../protocol/errors.js';
import type { IncomingCalls } from '../protocol/incoming-calls.js';
import type { CallStarter } from './call-starter.js';
import { slowReader, standstill } from './connection-errors.js';

export interface ReadGateSettings {
  /** Above this many bytes that wait to be written, a server stops reading here and a client sends no more calls. */
  readonly maxBufferedBytes: number;
  readonly maxFrameBytes: number;
  /** How long one write may take to leave while too much waits. */
  readonly slowReaderTimeoutMs: number;
}

/**
 * Stops the reading of one connection of a server while its peer must wait, and lets it go on. A client never stops
 * reading: two ends that both wait for the other to read would wait for ever. A peer for which too much waits and that
 * takes nothing of it is not waited for at all.
 */
export class ReadGate {
  /** From the moment in which too much waits to be written until all of it has left. */
  #isBacklogged = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly socket: Socket,
    private readonly calls: IncomingCalls,
    private readonly starter: CallStarter,
    private readonly settings: ReadGateSettings,
    private readonly tooSlow: (error: UdsError) => void,
  ) {}

  /** Something was written, or a chunk was read. */
  narrow(dialect: Dialect): void {
    const { maxBufferedBytes, maxFrameBytes } = this.settings;
    const waitingBytes = this.socket.writableLength;
    if (waitingBytes > maxBufferedBytes) {
      this.#timer ??= this.#watch();
      if (!dialect.mayStopReading) this.#isBacklogged = true;
      else if (waitingBytes > maxBufferedBytes + maxFrameBytes)
        this.tooSlow(slowReader(maxBufferedBytes + maxFrameBytes));
    }
    if (this.#mustWait(dialect)) this.socket.pause();
  }

  /** A call has ended. */
  widen(dialect: Dialect): void {
    if (this.socket.isPaused() && !this.#mustWait(dialect)) this.socket.resume();
  }

  /** All that waited to be written has left. */
  drained(dialect: Dialect): void {
    this.#isBacklogged = false;
    this.close();
    this.widen(dialect);
  }

  /** Watches no longer. */
  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** A peer that was told the limits keeps them; any other is held back here, also while calls wait for their turn. */
  #mustWait({ hasHello }: Dialect): boolean {
    return this.#isBacklogged || (!hasHello && (this.calls.isFull || this.starter.isHolding));
  }

  /** Looks again after a while whether anything was taken meanwhile. */
  #watch(): NodeJS.Timeout {
    const { slowReaderTimeoutMs } = this.settings;
    const takenBefore = this.#takenBytes;
    return setTimeout(() => {
      if (this.#takenBytes > takenBefore) this.#timer = this.#watch();
      else this.tooSlow(standstill(slowReaderTimeoutMs));
    }, slowReaderTimeoutMs).unref();
  }

  /** What has left of all that was ever written. Node tells of whole writes alone, which may be as long as all that waited. */
  get #takenBytes(): number {
    return this.socket.bytesWritten - this.socket.writableLength;
  }
}
