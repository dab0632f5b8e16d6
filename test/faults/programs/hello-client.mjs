// Connects to a server that says nothing, in every way there is; says what is left of it in this process.
import 'reflect-metadata';
import { HealthCheckService, MicroserviceHealthIndicator, TerminusModule } from '@nestjs/terminus';
import { Test } from '@nestjs/testing';
import { UdsClient, udsClient } from 'nest-uds';
import { readdirSync, readlinkSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { Ledger } from './ledger.mjs';
import { settings } from './settings.mjs';

const { path, name, attempts, connectTimeoutMs } = settings;
/** Far above what a socket takes to close. */
const LIMIT_MS = 10_000;

const ledger = new Ledger(settings.ledger);
const optionsOf = (index) => ({ path, connectTimeoutMs, connections: 1 + (index % 2) * 3 });

/** What this process holds open: by Node's own account, and by the system's where it has one. */
function openSockets() {
  const pipes = process.getActiveResourcesInfo().filter((kind) => /^(Pipe|TCP|Socket)/.test(kind)).length;
  return { pipes, sockets: process.platform === 'linux' ? socketsOfSystem() : 0 };
}

function socketsOfSystem() {
  const links = readdirSync('/proc/self/fd').map((descriptor) => {
    try {
      return readlinkSync(`/proc/self/fd/${descriptor}`);
    } catch {
      // The one by which the folder was read.
      return '';
    }
  });
  return links.filter((link) => link.startsWith('socket:')).length;
}

async function connectAndCall(index) {
  const client = new UdsClient(optionsOf(index));
  const connecting = ledger.track(`${name}-connect-${index}`, () => client.connect());
  await Promise.all([connecting, ledger.call(client, 'echo', `${name}-call-${index}`)]);
  // The client is not closed: what did not come to be needs no closing.
}

async function ping() {
  const module = await Test.createTestingModule({
    imports: [TerminusModule.forRoot({ logger: false })],
  }).compile();
  const indicator = await module.resolve(MicroserviceHealthIndicator);
  const health = await module.resolve(HealthCheckService);
  const check = () => indicator.pingCheck('mute', udsClient(optionsOf(0))).withTimeout(LIMIT_MS);
  const { status, error } = await health.check([check]).catch((down) => down.getResponse());
  await module.close();
  return { status, mute: error?.mute };
}

// Its outputs are sockets too, from the first line on.
process.stderr.write('');
console.log('under way');
const before = openSockets();
await Promise.all(Array.from({ length: attempts }, (_, index) => connectAndCall(index)));
const terminus = await ping();
const same = () => JSON.stringify(openSockets()) === JSON.stringify(before);
for (const endsAtMs = performance.now() + LIMIT_MS; !same() && performance.now() < endsAtMs;) await delay(5);
console.log(JSON.stringify({ before, left: openSockets(), terminus }));
