import { setTimeout as delay } from 'node:timers/promises';
import { errorOf, type UdsError } from '../protocol/errors.js';
import { backoffDelayMs, type BackoffSettings } from './backoff.js';
import type { ConnectionOwner } from './connection.js';
import type { ConnectionSettings } from './connection-owner.js';
import { dial, isWorthRetrying } from './dialer.js';

export interface RedialSettings extends ConnectionSettings, BackoffSettings {
  readonly path: string;
  /** How long a server that is not there is waited for. */
  readonly connectTimeoutMs: number;
}

/** Attempts that are under way beside each other: more of them keep the loop from anything else where nobody is there. */
const MAX_ATTEMPTS = 16;

/** Dials several. @throws what `redial` says of the first that could not be had; those that stand by then stay. */
export async function redialAll(
  count: number,
  settings: RedialSettings,
  owner: ConnectionOwner,
  stop: AbortSignal,
  endsAtMs: number,
): Promise<void> {
  const attempt = (): Promise<void> => redial(settings, owner, stop, endsAtMs);
  for (let left = count; left > 0; left -= MAX_ATTEMPTS) {
    const results = await Promise.allSettled(Array.from({ length: Math.min(left, MAX_ATTEMPTS) }, attempt));
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }
}

/**
 * Dials until there is a connection, as long as a server that is being started or restarted explains the failures.
 *
 * @throws UdsError at `endsAtMs` at the latest: what the last telling attempt failed with.
 */
export async function redial(
  settings: RedialSettings,
  owner: ConnectionOwner,
  stop: AbortSignal,
  endsAtMs: number,
): Promise<void> {
  const { path, connectTimeoutMs } = settings;
  let failure: UdsError | undefined;
  for (let attempt = 0; ; attempt += 1) {
    const timeoutMs = Math.max(1, endsAtMs - performance.now());
    try {
      await dial(path, settings, owner, timeoutMs, stop);
      return;
    } catch (error) {
      // An attempt that the end of the time cuts short says nothing of the server: the one before it says more.
      const isCut = (error as UdsError).code === 'HELLO_TIMEOUT' && timeoutMs < connectTimeoutMs / 2;
      if (failure === undefined || !isCut) failure = error as UdsError;
      const delayMs = backoffDelayMs(attempt, settings, Math.random());
      const isLate = performance.now() + delayMs >= endsAtMs;
      if (isLate || stop.aborted || !isWorthRetrying(failure)) throw failure;
      await delay(delayMs, undefined, { signal: stop }).catch(() => undefined);
      refuseIfStopped(stop);
    }
  }
}

function refuseIfStopped(stop: AbortSignal): void {
  if (stop.aborted) throw errorOf('CLIENT_CLOSED', 'The client was closed while it connected.');
}
