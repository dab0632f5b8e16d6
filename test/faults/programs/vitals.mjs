import { readdirSync } from 'node:fs';
import { setImmediate as nextImmediate, setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

// What --expose-gc does, for this program alone.
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');

/** What has been closed needs some turns to go, and what was collected some more to tell its owner. */
const ROUNDS = 5;
const ROUND_MS = 20;

/** What this process holds: bytes of heap after a forced collection, descriptors, what keeps it open, listeners. */
export async function vitals() {
  for (let round = 0; round < ROUNDS; round += 1) {
    await delay(ROUND_MS);
    await nextImmediate();
    collect();
  }
  return {
    heapBytes: process.memoryUsage().heapUsed,
    descriptors: process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0,
    resources: process.getActiveResourcesInfo().sort().join(' '),
    listeners: process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0),
  };
}
