import type { Buffer } from 'node:buffer';
import type { Socket } from 'node:net';
import type { Dialect } from '../protocol/dialects/dialect.js';
import type { UdsError } from '../protocol/errors.js';
import type { IncomingCalls } from '../protocol/incoming-calls.js';
import type { CallStarter } from './call-starter.js';
import { slowReader, standstill } from './connection-errors.js';
import { LITTLE_BYTES, type MemoryBudget, MemoryShare } from './memory-budget.js';
import { type Readers, ReadTurn } from './read-turn.js';
import type { Speech } from './speech.js';

export interface ReadGateSettings {
  /** Above this many bytes that wait to be written, a server stops reading here and a client sends no more calls. */
  readonly maxBufferedBytes: number;
  readonly maxFrameBytes: number;
  /** How long one write may take to leave while too much waits. */
  readonly slowReaderTimeoutMs: number;
}

/** What all connections of one server share. */
export interface SharedReading {
  readonly memory: MemoryBudget;
  readonly readers: Readers;
}

/** What is looked at of a dialect, and of a connection whose dialect is not known yet. */
type Spoken = Pick<Dialect, 'hasHello' | 'unfinishedBytes' | 'unfinishedCost'>;
const NOTHING_YET: Spoken = { hasHello: true, unfinishedBytes: 0, unfinishedCost: 0 };

/** The connection of a gate: what it looks at to say whether more may be read, and what it tells. */
export interface ReadGateOwner {
  readonly speech: Speech;
  readonly calls: IncomingCalls;
  readonly starter: CallStarter;
  /** Reads a chunk, or a part of it. */
  read(piece: Buffer): void;
  /** What had to wait for its turn, or for room, may be read on. */
  rested(): void;
  /** The peer does not take what waits for it. */
  tooSlow(error: UdsError): void;
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
  #isClosed = false;
  readonly #share: MemoryShare;
  readonly #turn: ReadTurn;

  constructor(
    private readonly socket: Socket,
    private readonly settings: ReadGateSettings,
    private readonly shared: SharedReading,
    private readonly owner: ReadGateOwner,
  ) {
    const goOn = (): void => {
      this.widen();
      owner.rested();
    };
    this.#share = new MemoryShare(shared.memory, goOn);
    owner.calls.mayKeep = () => {
      this.#share.use(this.#usedBytes);
      return !this.#share.isHoarding;
    };
    this.#turn = new ReadTurn(socket, shared.readers, {
      maxPieceBytes: () => shared.memory.pieceBytes,
      read: (piece) => owner.read(piece),
      isStarting: () => owner.starter.isResting,
      startMore: () => owner.starter.startMore(),
      hasEnded: () => this.#isClosed,
      next: goOn,
    });
  }

  /** Reads what there is time for, the rest in the next turn. What has no envelope is a call as it came, and never cut. */
  read(chunk: Buffer): void {
    const { speech } = this.owner;
    if (speech.dialect !== undefined || !this.#mustWait()) this.#turn.read(chunk, speech.isBare);
    else this.#putBack(chunk);
  }

  /** One who comes while there is no room waits with the first word. */
  #putBack(chunk: Buffer): void {
    this.socket.pause();
    this.socket.unshift(chunk);
  }

  /** Something was written, or a chunk was read. */
  narrow(): void {
    const { dialect } = this.owner.speech;
    if (dialect === undefined) return;
    const { maxBufferedBytes } = this.settings;
    if (this.socket.writableLength > maxBufferedBytes) {
      this.#timer ??= this.#watch();
      if (!dialect.mayStopReading) this.#isBacklogged = true;
    }
    const mustWait = this.#mustWait(dialect);
    if (dialect.mayStopReading) this.#refuseToWait();
    if (mustWait) this.socket.pause();
    else if (this.socket.isPaused()) this.socket.resume();
  }

  /** A call has ended, or another connection holds less. */
  widen(): void {
    if (this.#isClosed) this.#countWhatRuns();
    if (this.#isClosed) return;
    const { hasRoom, heldBytes } = this.owner.calls;
    if (hasRoom && !this.socket.isPaused() && !this.#share.isStale(heldBytes)) return;
    if (!this.#mustWait(this.owner.speech.dialect) && this.socket.isPaused()) this.socket.resume();
  }

  /** All that waited to be written has left. */
  drained(): void {
    this.#isBacklogged = false;
    this.#unwatch();
    this.widen();
  }

  /** Nothing is read any more. */
  close(): void {
    this.#isClosed = true;
    this.#unwatch();
    this.#countWhatRuns();
  }

  /** What a peer asked for runs on when it has left, and what it did not read stays until its socket is closed. */
  #countWhatRuns(): void {
    const unreadBytes = this.socket.closed ? 0 : this.socket.writableLength;
    this.#share.hold(0, 0, this.owner.calls.heldBytes + unreadBytes);
    this.shared.memory.leave(this.#share);
  }

  /** A peer that was told the limits keeps them; any other is held back here, also while calls wait for their turn. */
  #mustWait({ hasHello, unfinishedBytes, unfinishedCost }: Spoken = NOTHING_YET): boolean {
    const { calls, starter } = this.owner;
    const isHeldBack = !hasHello && (calls.isFull || starter.isHolding);
    const share = this.#share;
    let hasMemory = share.hold(isHeldBack ? 0 : unfinishedBytes, unfinishedCost, this.#usedBytes);
    // Where all that it holds waits for its credit nothing would ever end: that is read, and what asks for more is refused.
    const isStuck = (share.isHoarding || share.isQueuing) && calls.waitForCredit;
    if (isStuck && share.isQueuing) hasMemory = share.hold(unfinishedBytes, 0, this.#usedBytes);
    calls.hasRoom = !isStuck && !share.isUnpromised;
    const waitsForMemory = !hasMemory && (share.wantsFrame || !isStuck);
    return this.#turn.isOver || this.#isBacklogged || waitsForMemory || isHeldBack;
  }

  /** A peer that may wait for us to read is not waited for with what it does not take. */
  #refuseToWait(): void {
    const { maxBufferedBytes, maxFrameBytes } = this.settings;
    const waitingBytes = this.socket.writableLength;
    const limitBytes = maxBufferedBytes + maxFrameBytes;
    if (waitingBytes > limitBytes)
      this.owner.tooSlow(slowReader(limitBytes, 'options maxBufferedBytes and maxFrameBytes together'));
    else if (waitingBytes > Math.max(LITTLE_BYTES, this.shared.memory.freeBytes))
      this.owner.tooSlow(
        slowReader(LITTLE_BYTES, 'and as little is free for it, option maxTotalBufferedBytes'),
      );
  }

  /** Looks again after a while whether anything was taken meanwhile. */
  #watch(): NodeJS.Timeout {
    const { slowReaderTimeoutMs } = this.settings;
    const takenBefore = this.#takenBytes;
    return setTimeout(() => {
      if (this.#takenBytes > takenBefore) this.#timer = this.#watch();
      else this.owner.tooSlow(standstill(slowReaderTimeoutMs));
    }, slowReaderTimeoutMs).unref();
  }

  #unwatch(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** What its calls hold, and what waits to be written. */
  get #usedBytes(): number {
    return this.owner.calls.heldBytes + this.socket.writableLength;
  }

  /** What has left of all that was ever written. Node tells of whole writes alone, which may be as long as all that waited. */
  get #takenBytes(): number {
    return this.socket.bytesWritten - this.socket.writableLength;
  }
}
