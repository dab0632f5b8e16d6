export interface BackoffSettings {
  readonly reconnectDelayMs: number;
  readonly maxReconnectDelayMs: number;
}

/**
 * How long to wait before the next attempt: exponential, with full jitter, so that clients which lost one server
 * do not come back in step. Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
 *
 * @param attempt how many attempts have failed so far, from 0.
 * @param random a number in [0, 1).
 */
export function backoffDelayMs(attempt: number, settings: BackoffSettings, random: number): number {
  const ceilingMs = Math.min(settings.maxReconnectDelayMs, settings.reconnectDelayMs * 2 ** attempt);
  return Math.ceil(ceilingMs * random);
}
