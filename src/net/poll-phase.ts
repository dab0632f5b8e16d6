import { setImmediate as nextImmediate } from 'node:timers/promises';

/**
 * Resolves once the event loop has looked at its sockets and told of what it found there. Called from a timer: timers run
 * before the loop looks, and after a stall they ring while what came meanwhile still lies unread.
 *
 *   timers -> poll (sockets) -> check (immediates) -> timers
 */
export async function pollPhase(): Promise<void> {
  await nextImmediate();
}
