// Echoes of 64 bytes, 64 in flight, one connection, whole Nest pipeline, server and client in processes of their own:
// nest-uds beside Nest's TCP transport on 127.0.0.1 and on a socket path, interleaved. `npm run bench:tcp`.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClientProxyFactory, Transport } from '@nestjs/microservices';
import { firstValueFrom } from 'rxjs';
import { udsClient } from '../dist/index.js';

const ROUNDS = 7;
const CALLS = 40_000;
const IN_FLIGHT = 64;
const PAYLOAD = 'x'.repeat(64);
const PORT = 41_217;

const folder = await mkdtemp(join(tmpdir(), 'uds-bench-'));
const tcp = (port) => ({ transport: Transport.TCP, options: { host: '127.0.0.1', port } });
const peers = [
  {
    kind: 'uds',
    name: 'nest-uds',
    address: join(folder, 'u'),
    options: udsClient({ path: join(folder, 'u') }),
  },
  { kind: 'tcp', name: 'Nest TCP on 127.0.0.1', address: String(PORT), options: tcp(PORT) },
  { kind: 'path', name: 'Nest TCP on a path', address: join(folder, 'p'), options: tcp(join(folder, 'p')) },
];

async function rateOf(client, calls) {
  let started = 0;
  const caller = async () => {
    while (started < calls) {
      started += 1;
      const answer = await firstValueFrom(client.send('echo', PAYLOAD));
      if (answer !== PAYLOAD) throw new Error('a wrong echo');
    }
  };
  const startMs = performance.now();
  await Promise.all(Array.from({ length: IN_FLIGHT }, caller));
  return calls / ((performance.now() - startMs) / 1000);
}

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
const children = [];
try {
  for (const peer of peers) {
    const child = fork(join(import.meta.dirname, 'peer.mjs'), [peer.kind, peer.address]);
    children.push(child);
    await once(child, 'message');
    peer.client = ClientProxyFactory.create(peer.options);
    peer.rates = [];
    await rateOf(peer.client, CALLS / 4);
  }
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const peer of peers) peer.rates.push(await rateOf(peer.client, CALLS));
  }
  const [ours, ...theirs] = peers;
  const ratios = ours.rates.map((rate, round) => rate / Math.max(...theirs.map((peer) => peer.rates[round])));
  for (const { name, rates } of peers) {
    console.log(
      `${name.padEnd(24)} ${Math.round(median(rates)).toLocaleString('en').padStart(9)} calls/s (median of ${ROUNDS})`,
    );
  }
  const spread = `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`;
  console.log(
    `nest-uds to the better of Nest's TCP: ${median(ratios).toFixed(2)}x (median of ${ROUNDS} rounds, ${spread})`,
  );
} finally {
  for (const peer of peers) await peer.client?.close();
  for (const child of children) child.kill();
  await rm(folder, { recursive: true, force: true });
}
