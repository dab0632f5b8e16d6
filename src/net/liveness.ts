import type { UdsError } from '../protocol/errors.js';
import { Heartbeat, type HeartbeatOwner, type HeartbeatSettings } from './heartbeat.js';
import { HelloTimer } from './hello-timer.js';

export interface LivenessSettings extends HeartbeatSettings {
  /** How long the peer's hello may take, from its first byte. */
  readonly helloTimeoutMs: number;
}

/** What the liveness of a connection needs of it. */
export interface LivenessOwner extends HeartbeatOwner {
  helloIsLate(error: UdsError): void;
}

/** Whether the peer of a connection still lives: its hello has a time, and from then on it must give signs of life. */
export class Liveness {
  readonly #hello: HelloTimer;
  readonly #heartbeat: Heartbeat;
  #hasBegun = false;

  constructor(settings: LivenessSettings, owner: LivenessOwner) {
    this.#hello = new HelloTimer(settings.helloTimeoutMs, (error) => owner.helloIsLate(error));
    this.#heartbeat = new Heartbeat(settings, owner);
  }

  /** Something came. */
  heard(nowMs: number): void {
    if (!this.#hasBegun) this.#hello.arm();
    this.#heartbeat.heard(nowMs);
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
  }
}
