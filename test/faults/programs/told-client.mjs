// Does what it is told, a line of JSON each: makes calls, computes without a pause, ends. It says `back` each time that it
// has its server again.
import { UdsClient } from 'nest-uds';
import { createInterface } from 'node:readline';
import { setImmediate as nextImmediate, setTimeout as delay } from 'node:timers/promises';
import { Ledger } from './ledger.mjs';
import { settings } from './settings.mjs';

const { path, name, options } = settings;
const ledger = new Ledger(settings.ledger);
const client = new UdsClient({ path, name, ...options });
const calls = [];
const held = [];
let made = 0;
let hasParted = false;

client.status.subscribe((status) => {
  if (status === 'disconnected') hasParted = true;
  else if (hasParted) console.log('back');
});

function compute(ms) {
  for (const endsAtMs = performance.now() + ms; performance.now() < endsAtMs;);
}

function call(pattern, more) {
  const id = `${name}-${made++}`;
  if (pattern === 'hold') held.push(id);
  calls.push(ledger.call(client, pattern, id, more));
}

/** Computes from the moment in which it has asked whether the server lives, with nothing else to write. */
async function askThenCompute({ ms }) {
  const socket = client.unwrap();
  for (const before = socket.bytesWritten; socket.bytesWritten === before;) await delay(1);
  // Behind the sockets' turn: the timers have theirs before it comes again.
  await nextImmediate();
  console.log('asked');
  compute(ms);
  console.log('computed');
}

const ORDERS = {
  connect: async () => await client.connect(),
  call: ({ pattern, count, ms }) => {
    for (let index = 0; index < count; index += 1) call(pattern, { ms });
  },
  release: () => {
    for (const of of held.splice(0)) call('release', { of });
  },
  compute: ({ ms }) => {
    compute(ms);
    console.log('computed');
  },
  askThenCompute,
  end: async () => {
    await Promise.all(calls);
    await client.close();
    process.stdin.destroy();
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { order, ...more } = JSON.parse(line);
  await ORDERS[order](more);
  if (order === 'end') break;
}
