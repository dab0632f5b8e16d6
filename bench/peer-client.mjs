// The client process of one peer: `node peer-client.mjs FILE ADDRESS`. Does what it is told, a line each, and answers with a
// line of JSON. An order is words: echo PAYLOAD BYTES IN_FLIGHT CONNECTIONS DURATION_MS MAX_CALLS, stream ITEMS, idle CONNECTIONS,
// leave, profile.
import { createInterface } from 'node:readline';
import { payloadOf } from './payloads.mjs';
import { toggleProfile } from './profiler.mjs';

const [file, address] = process.argv.slice(2);
const peer = await import(file);
const clients = [];

async function connectAll(count) {
  while (clients.length < count) clients.push(await peer.connect(address));
}

const at = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;

/** As many calls at a time as `inFlight`, until the time is up or so many are done. */
async function echo(id, _bytes, inFlight, connections, durationMs, maxCalls) {
  await connectAll(connections);
  const payload = payloadOf(id);
  const isEcho = peer.isEcho ?? ((_payload, got) => payload.isEcho(got));
  const first = await peer.call(clients[0], payload);
  if (!isEcho(payload, first)) throw new Error('the echo is another value');
  const timesUs = [];
  let begun = 0;
  const beganMs = performance.now();
  const endMs = beganMs + durationMs;
  const caller = async (client) => {
    for (let nowMs = beganMs; nowMs < endMs && begun < maxCalls;) {
      begun += 1;
      const calledMs = performance.now();
      const got = await peer.call(client, payload);
      nowMs = performance.now();
      if (typeof got !== typeof first) throw new Error('the echo is of another type');
      timesUs.push((nowMs - calledMs) * 1000);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, (_, index) => caller(clients[index % connections])));
  const seconds = (performance.now() - beganMs) / 1000;
  const sorted = Float64Array.from(timesUs).sort();
  return { calls: timesUs.length, seconds, p50Us: at(sorted, 0.5), p99Us: at(sorted, 0.99) };
}

async function stream(items) {
  await connectAll(1);
  const beganMs = performance.now();
  const count = await peer.stream(clients[0], items);
  if (count !== items) throw new Error(`${count} items came of ${items}`);
  return { calls: items, seconds: (performance.now() - beganMs) / 1000 };
}

const IDLE_AT_ONCE = 64;

/** Connections beside the first one, on which nothing is said. */
async function idle(count) {
  await connectAll(1);
  let missing = count;
  const connectOn = async () => {
    while (missing > 0) {
      missing -= 1;
      clients.push(await peer.connect(address));
    }
  };
  await Promise.all(Array.from({ length: IDLE_AT_ONCE }, connectOn));
  return { connections: clients.length - 1 };
}

/** All but the first one. */
async function leave() {
  await Promise.all(clients.splice(1).map((client) => peer.stop(client)));
  return {};
}

const ORDERS = { echo, stream, idle, leave, profile: toggleProfile };

async function obey(line) {
  const [verb, ...words] = line.split(' ');
  const told = words.map((word) => (/^\d+$/.test(word) ? Number(word) : word));
  try {
    console.log(JSON.stringify(await ORDERS[verb](...told)));
  } catch (error) {
    console.log(JSON.stringify({ failed: String(error?.message ?? error) }));
  }
}

console.log('ready');
createInterface({ input: process.stdin })
  .on('line', (line) => void obey(line))
  .on('close', () => process.exit(0));
