// So many clients, each with one echo in flight, whenever they are told to `measure`: says how long the echoes took.
import { UdsClient } from 'nest-uds';
import { createInterface } from 'node:readline';
import { firstValueFrom } from 'rxjs';
import { Ledger } from './ledger.mjs';
import { settings } from './settings.mjs';

const { path, clients: count, echoes } = settings;
const ledger = new Ledger(settings.ledger);
const clients = Array.from({ length: count }, (_, index) => new UdsClient({ path, name: `other-${index}` }));
let made = 0;

async function echoAgainAndAgain(client, tookMs) {
  for (let echo = 0; echo < echoes; echo += 1) {
    const id = `other-${(made += 1)}`;
    const startedAtMs = performance.now();
    await firstValueFrom(client.send('give', { id })).then(
      (answer) => ledger.write(answer.id === id ? 'well' : 'mistaken', id),
      (error) => ledger.write('failed', id, error.code),
    );
    tookMs.push(performance.now() - startedAtMs);
  }
}

async function measure() {
  const tookMs = [];
  await Promise.all(clients.map((client) => echoAgainAndAgain(client, tookMs)));
  tookMs.sort((a, b) => a - b);
  const [p50Ms, p99Ms] = [0.5, 0.99].map((part) => tookMs[Math.floor(tookMs.length * part)]);
  console.log(`measured ${JSON.stringify({ p50Ms, p99Ms })}`);
}

await Promise.all(clients.map((client) => client.connect()));
console.log('ready');
for await (const order of createInterface({ input: process.stdin })) {
  if (order === 'end') break;
  await measure();
}
await Promise.all(clients.map((client) => client.close()));
process.stdin.destroy();
