// One day in the life of clients: told `hour`, clients of every kind come, call, cancel, leave and are cut for a while. At the
// end of the hour all have gone but one, and it says what became of their calls; told `vitals`, what is left of them.
import { UdsClient } from 'nest-uds';
import { getEventListeners } from 'node:events';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { firstValueFrom } from 'rxjs';
import { CALLS } from './calls-of-life.mjs';
import { Random } from './random.mjs';
import { settings } from './settings.mjs';
import { vitals } from './vitals.mjs';

const { path, rawPath, seed, hourMs } = settings;
const KINDS = Object.keys(CALLS);
const STEADY = 64;
const FRESH = 6;
const PLAIN = 3;
const MAX_CALLS = 12;
/** What has not settled so long after the hour is lost. */
const LIMIT_MS = 30_000;
const AFTER_FAILURE_MS = 5;

const random = new Random(seed);
const day = new globalThis.AbortController();
const daily = new UdsClient({ path, name: 'daily', connectTimeoutMs: LIMIT_MS });
let tally;
let isOver = false;
let lastId = 0;
let hours = 0;

async function attempt(kind, run) {
  tally.asked += 1;
  try {
    await run();
  } catch (error) {
    const named = error?.code ?? error?.name ?? 'NO_CODE';
    const code = named === 'WRONG_ANSWER' ? `${named} (${kind})` : named;
    tally.codes[code] = (tally.codes[code] ?? 0) + 1;
    // Who fails at once must not do so without a pause.
    await delay(AFTER_FAILURE_MS);
  }
  tally.settled += 1;
}

async function callOnce(client) {
  const kind = random.pick(KINDS);
  await attempt(kind, () => CALLS[kind](client, (lastId += 1), day));
}

async function liveOn(client) {
  while (!isOver) await callOnce(client);
}

/** As from elsewhere: the other end of the socket, or the system, may end it at any time. */
function cut(client) {
  try {
    client.unwrap().destroy();
  } catch {
    // It is not connected now.
  }
}

async function comeAndGo() {
  while (!isOver) {
    const client = new UdsClient({
      path,
      connections: random.pick([1, 1, 3]),
      connectTimeoutMs: LIMIT_MS,
      closeTimeoutMs: LIMIT_MS,
    });
    const calls = Array.from({ length: random.below(MAX_CALLS) }, () => callOnce(client));
    const end = random.below(4);
    if (end === 0) await client.connect().then(() => cut(client));
    // Every second one is closed in the middle of its calls.
    if (end >= 2) await Promise.all(calls);
    await client.close();
    await Promise.all(calls);
  }
}

const lineOf = (id) => `${JSON.stringify({ id, pattern: 'wait', data: { id, ms: id % 5 } })}\n`;

function packetOf(id) {
  const text = JSON.stringify({ id: `${id}`, pattern: 'wait', data: { id, ms: id % 5 } });
  return `${text.length}#${text}`;
}

/** What is written, and how often which text comes back. */
const PLAIN_WAYS = [
  { at: path, write: (id) => lineOf(id), sign: '"response":' },
  { at: path, write: (id) => packetOf(id), sign: '"isDisposed":true' },
  { at: rawPath, write: () => 'raw!', sign: 'raw!' },
];

/** A peer without a library. */
function visit({ at, write, sign }, count, isPatient) {
  return new Promise((resolve, reject) => {
    const socket = connect(at);
    let text = '';
    socket.setEncoding('utf8').on('data', (more) => {
      text += more;
      if (text.split(sign).length > count) socket.end();
    });
    let isConnected = false;
    socket.on('connect', () => (isConnected = true));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      if (!isPatient || text.split(sign).length === count + 1) resolve();
      else reject(Object.assign(new Error(text), { code: isConnected ? 'CUT' : 'NO_SERVER' }));
    });
    for (let call = 0; call < count; call += 1) socket.write(write(call));
    if (!isPatient) setTimeout(() => socket.destroy(), count % 3);
  });
}

async function comeAndGoPlainly() {
  while (!isOver) {
    const [way, count, isPatient] = [random.pick(PLAIN_WAYS), 1 + random.below(20), random.below(4) > 0];
    await attempt('plain', () => visit(way, count, isPatient));
  }
}

async function hour() {
  tally = { asked: 0, settled: 0, codes: {} };
  isOver = false;
  const steady = new UdsClient({ path, connections: 2, connectTimeoutMs: LIMIT_MS });
  const all = Promise.all([
    ...Array.from({ length: STEADY }, (_, index) => liveOn(index % 4 === 0 ? daily : steady)),
    ...Array.from({ length: FRESH }, comeAndGo),
    ...Array.from({ length: PLAIN }, comeAndGoPlainly),
  ]);
  for (let quarter = 1; quarter <= 4; quarter += 1) {
    await delay(hourMs / 4);
    console.log(`hour ${hours}: quarter ${quarter} is over`);
  }
  isOver = true;
  const late = delay(LIMIT_MS, 'late', { ref: false });
  await Promise.race([all, late]);
  await steady.close();
  // It is there to stay, and has the server tell its figures.
  await firstValueFrom(daily.send('stats', ''));
  console.log(`hour ${hours} is over: ${JSON.stringify(tally)}`);
  hours += 1;
}

const ORDERS = {
  hour,
  async vitals() {
    const signalListeners = getEventListeners(day.signal, 'abort').length;
    console.log(JSON.stringify({ ...(await vitals()), signalListeners }));
  },
  /** Nobody is there any more. */
  async leave() {
    await daily.close();
    console.log('left');
  },
  end: () => process.stdin.destroy(),
};

console.log('ready');
for await (const order of createInterface({ input: process.stdin })) {
  await ORDERS[order]();
  if (order === 'end') break;
}
