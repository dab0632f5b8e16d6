import type { IncomingCall } from '../protocol/call.js';
import type { UdsError } from '../protocol/errors.js';
import type { SessionSettings } from '../protocol/session-owner.js';
import type { LivenessSettings } from './liveness.js';
import type { ReadGateSettings } from './read-gate.js';

export interface ConnectionSettings extends SessionSettings, ReadGateSettings, LivenessSettings {
  /** How long the last bytes of a connection may take to leave before it is cut. */
  readonly closeTimeoutMs: number;
}

/** Who is told what happens on a connection `C`. */
export interface OwnerOf<C> {
  opened(connection: C): void;
  called(connection: C, call: IncomingCall): void;
  refused(connection: C, error: UdsError): void;
  /** The peer opens nothing more here. */
  left(connection: C): void;
  /** Of a server: a client says that another server has its place. */
  takenOver(connection: C): void;
  freed(connection: C): void;
  /** The last word. `error` says why, and is undefined where it ended in good order or by `close`. */
  closed(connection: C, error: UdsError | undefined): void;
}
