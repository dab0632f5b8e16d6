import type { UdsError } from '../protocol/errors.js';
import { FrameTimer, type FrameTimerOwner } from './frame-timer.js';
import { Heartbeat, type HeartbeatOwner, type HeartbeatSettings } from './heartbeat.js';
import { HelloTimer } from './hello-timer.js';

export interface LivenessSettings extends HeartbeatSettings {
  /** How long the peer's hello may take, from its first byte. */
  readonly helloTimeoutMs: number;
  /** How long a frame that has begun may stand still; 0 is for ever. */
  readonly partialFrameTimeoutMs: number;
}

/** What the liveness of a connection needs of it. */
export interface LivenessOwner extends HeartbeatOwner, Omit<FrameTimerOwner, 'frameIsLate'> {
  /** What the peer has begun does not come to its end. */
  isLate(error: UdsError): void;
}

/**
 * Whether the peer of a connection still lives: its hello has a time, and from then on it must give signs of life, and
 * go on with what it begins.
 */
export class Liveness {
  readonly #hello: HelloTimer;
  readonly #heartbeat: Heartbeat;
  readonly #frame: FrameTimer;
  #hasBegun = false;

  constructor(settings: LivenessSettings, owner: LivenessOwner) {
    this.#hello = new HelloTimer(settings.helloTimeoutMs, (error) => owner.isLate(error));
    this.#frame = new FrameTimer(settings.partialFrameTimeoutMs, {
      bytesRead: () => owner.bytesRead(),
      isReading: () => owner.isReading(),
      frameIsLate: (error) => owner.isLate(error),
    });
    this.#heartbeat = new Heartbeat(settings, owner);
  }

  /** Something came. */
  heard(nowMs: number): void {
    if (!this.#hasBegun) this.#hello.arm();
    this.#heartbeat.heard(nowMs);
  }

  /** A frame is whole. */
  received(): void {
    this.#frame.received();
  }

  /** A chunk was read. @param isMidFrame whether it ends inside a frame. */
  rested(isMidFrame: boolean): void {
    this.#frame.rested(isMidFrame);
  }

  /** @param canBeAsked whether the peer's dialect knows a question that it must answer. */
  begin(canBeAsked: boolean): void {
    this.#hasBegun = true;
    this.#hello.disarm();
    if (canBeAsked) this.#heartbeat.start(performance.now());
  }

  stop(): void {
    this.#hasBegun = true;
    this.#hello.disarm();
    this.#heartbeat.stop();
    this.#frame.stop();
  }
}
