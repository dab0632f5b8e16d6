import type { Socket } from 'node:net';
import type { UdsError } from '../protocol/errors.js';
import { FrameTimer } from './frame-timer.js';
import { GoneWatch, type GoneWatchOwner } from './gone-watch.js';
import { Heartbeat, type HeartbeatOwner, type HeartbeatSettings } from './heartbeat.js';
import { HelloTimer } from './hello-timer.js';

export interface LivenessSettings extends HeartbeatSettings {
  /** How long the peer's hello may take, from its first byte. */
  readonly helloTimeoutMs: number;
  /** How long a frame that has begun may stand still; 0 is for ever. */
  readonly partialFrameTimeoutMs: number;
}

/** What the liveness of a connection needs of it. */
export interface LivenessOwner extends Omit<HeartbeatOwner, 'isReading'>, GoneWatchOwner {
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
  readonly #goneWatch: GoneWatch;
  #hasBegun = false;

  constructor(socket: Socket, settings: LivenessSettings, owner: LivenessOwner) {
    const isReading = (): boolean => !socket.isPaused();
    this.#hello = new HelloTimer(settings.helloTimeoutMs, (error) => owner.isLate(error));
    this.#frame = new FrameTimer(settings.partialFrameTimeoutMs, {
      bytesRead: () => socket.bytesRead,
      isReading,
      frameIsLate: (error) => owner.isLate(error),
    });
    this.#heartbeat = new Heartbeat(settings, {
      ping: () => owner.ping(),
      isReading,
      died: (error) => owner.died(error),
    });
    this.#goneWatch = new GoneWatch(socket, settings.heartbeatIntervalMs, owner);
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
    else this.#goneWatch.start();
  }

  /** The input has ended, which may mean that the peer has gone. */
  ended(): void {
    this.#goneWatch.look();
  }

  stop(): void {
    this.#hasBegun = true;
    this.#hello.disarm();
    this.#heartbeat.stop();
    this.#goneWatch.stop();
    this.#frame.stop();
  }
}
