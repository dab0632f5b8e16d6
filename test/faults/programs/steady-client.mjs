// Keeps calls in flight, emits events, and reads streams where it is asked to, until it is told to stop.
import { UdsClient } from 'nest-uds';
import { setTimeout as delay } from 'node:timers/promises';
import { Ledger } from './ledger.mjs';
import { settings, told } from './settings.mjs';

const { path, name, inFlight, longCalls = 0, longMs = 0, eventEveryMs = 0, streams = 0, restMs } = settings;
/** So that calls which fail at once are no endless loop. */
const AFTER_FAILURE_MS = 10;
/** Every so many events one outlasts every call, so that a server which ends with its last call would lose it. */
const LONG_EVENT_EVERY = 20;

const ledger = new Ledger(settings.ledger);
const client = new UdsClient({ path, name, connectTimeoutMs: 10_000 });
let isStopped = false;
let hasBeenConnected = false;

client.status.subscribe((status) => {
  if (status === 'connected') hasBeenConnected = true;
  else if (hasBeenConnected && !isStopped) ledger.write('parted', name, status);
});

async function keepCalling(worker) {
  for (let turn = 0; !isStopped; turn += 1) {
    const id = `${name}-${worker}-${turn}`;
    const isLong = worker < longCalls;
    const isEcho = restMs !== undefined || turn % 10 === 0;
    // Of all lengths, so that an end of a server finds calls at every stage.
    const ms = isLong ? longMs - worker * 50 : 10 + ((worker * 7 + turn * 13) % 70);
    const isAnswered = await (isEcho && !isLong
      ? ledger.call(client, 'echo', id)
      : ledger.call(client, 'slow', id, { ms }));
    if (!isAnswered) await delay(AFTER_FAILURE_MS);
    // Who rests leaves its connection with nothing under way, again and again.
    else if (restMs !== undefined) await delay((worker + turn) % restMs);
  }
}

async function keepEmitting() {
  const sending = [];
  for (let turn = 0; !isStopped; turn += 1) {
    const ms = turn % LONG_EVENT_EVERY === 0 ? longMs + 200 : turn % 20;
    sending.push(ledger.emit(client, 'note', `${name}-event-${turn}`, { ms }));
    await delay(eventEveryMs);
  }
  await Promise.all(sending);
}

/** A stream is one call, answered where each of its values was the one that was due. */
async function keepReading(reader) {
  const id = `${name}-stream-${reader}`;
  await ledger.track(id, async () => {
    let due = 0;
    for await (const { id: of, value } of client.stream('generator', { id })) {
      if (of !== id || value !== due) return { id: `${of}:${value}` };
      due += 1;
      if (isStopped) break;
    }
    return { id };
  });
}

const work = Array.from({ length: inFlight }, (_, worker) => keepCalling(worker));
if (eventEveryMs > 0) work.push(keepEmitting());
for (let reader = 0; reader < streams; reader += 1) work.push(keepReading(reader));
console.log('under way');
await told('stop');
isStopped = true;
await Promise.all(work);
await client.close();
console.log('done');
