// Sends a burst of calls, waits until all have settled, sends the next one, whether there is a server or not. The last
// burst is one that no server is killed under.
import { UdsClient } from 'nest-uds';
import { setTimeout as delay } from 'node:timers/promises';
import { Ledger } from './ledger.mjs';
import { settings } from './settings.mjs';

const { path, name, bursts, held, others } = settings;
/** What has not settled by then is lost; the restart of a server fits in many times. */
const LIMIT_MS = 15_000;

const ledger = new Ledger(settings.ledger);
const client = new UdsClient({ path, name, connectTimeoutMs: 10_000 });

async function burst(round) {
  const total = held + others;
  const every = Math.floor(total / others);
  const calls = [];
  for (let index = 0; index < total; index += 1) {
    const id = `${name}-${round}-${index}`;
    if (round === bursts || index % (2 * every) === 0) calls.push(ledger.call(client, 'echo', id));
    else if (index % every === 0) calls.push(ledger.call(client, 'slow', id, { ms: index % 100 }));
    else calls.push(ledger.call(client, 'hold', id));
  }
  console.log(`burst ${round} is under way`);
  const late = delay(LIMIT_MS, 'late', { ref: false });
  const result = await Promise.race([Promise.all(calls), late]);
  console.log(`burst ${round} is ${result === 'late' ? 'not over in time' : 'over'}`);
}

for (let round = 0; round <= bursts; round += 1) await burst(round);
await client.close();
