import { setTimeout as delay } from 'node:timers/promises';
import { errorOf, type UdsError } from '../protocol/errors.js';
import { backoffDelayMs, type BackoffSettings } from './backoff.js';
import type { ConnectionSettings } from './connection-owner.js';
import type { ConnectionOwner } from './connection.js';
import { dial, isWorthRetrying } from './dialer.js';

export interface RedialSettings extends ConnectionSettings, BackoffSettings {
  readonly path: string;
  /** How long whoever waits for a server that is not there waits. */
  readonly connectTimeoutMs: number;
}

/** Attempts that are under way beside each other: more of them keep the loop from anything else where nobody is there. */
const MAX_ATTEMPTS = 16;

/** How long a connection is wanted, and who hears why there is none yet. */
export interface Wish {
  /** On the clock of `performance.now`; it may move further away meanwhile. */
  endsAtMs(): number;
  failed(error: UdsError): void;
  /** What the attempts of a wish before it failed with, which says more than one that this one's end cuts short. */
  readonly failure?: UdsError | undefined;
}

/** Dials several. @throws what `redial` says of the first that could not be had; those that stand by then stay. */
export async function redialAll(
  count: number,
  settings: RedialSettings,
  owner: ConnectionOwner,
  stop: AbortSignal,
  wish: Wish,
): Promise<void> {
  const attempt = (): Promise<void> => redial(settings, owner, stop, wish);
  for (let left = count; left > 0; left -= MAX_ATTEMPTS) {
    const results = await Promise.allSettled(Array.from({ length: Math.min(left, MAX_ATTEMPTS) }, attempt));
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }
}

/**
 * Dials until there is a connection, as long as one is wanted and a server that is being started or restarted explains
 * the failures.
 *
 * @param failedBefore attempts that failed before, so that the first one here waits as the next one there would.
 * @throws UdsError when the wish ends at the latest: what the last telling attempt failed with.
 */
export async function redial(
  settings: RedialSettings,
  owner: ConnectionOwner,
  stop: AbortSignal,
  wish: Wish,
  failedBefore = 0,
): Promise<void> {
  const { path, connectTimeoutMs } = settings;
  let { failure } = wish;
  // Whoever begins to wait in the middle of a long pause sees an attempt all the same.
  const delayBehindMs = (attempt: number): number =>
    Math.min(connectTimeoutMs / 2, backoffDelayMs(attempt, settings, Math.random()));
  if (failedBefore > 0) await pause(delayBehindMs(failedBefore - 1), stop);
  for (let attempt = failedBefore; ; attempt += 1) {
    // A server that hangs may have been replaced meanwhile: no attempt takes all of a long wish.
    const timeoutMs = Math.max(1, Math.min(connectTimeoutMs, wish.endsAtMs() - performance.now()));
    try {
      await dial(path, settings, owner, timeoutMs, stop);
      return;
    } catch (error) {
      // An attempt that the end of the time cuts short says nothing of the server: the one before it says more.
      const hasSaidMore = wish.failure !== undefined && timeoutMs < connectTimeoutMs;
      const isCut =
        (error as UdsError).code === 'HELLO_TIMEOUT' && (hasSaidMore || timeoutMs < connectTimeoutMs / 2);
      if (failure === undefined || !isCut) failure = error as UdsError;
      if (stop.aborted || !isWorthRetrying(failure)) throw failure;
      wish.failed(failure);
      const delayMs = delayBehindMs(attempt);
      if (performance.now() + delayMs >= wish.endsAtMs()) throw failure;
      await pause(delayMs, stop);
    }
  }
}

/** Does not keep the process alive: whoever waits for a connection does. @throws CLIENT_CLOSED */
async function pause(delayMs: number, stop: AbortSignal): Promise<void> {
  await delay(delayMs, undefined, { signal: stop, ref: false }).catch(() => undefined);
  if (stop.aborted) throw errorOf('CLIENT_CLOSED', 'The client was closed while it connected.');
}
