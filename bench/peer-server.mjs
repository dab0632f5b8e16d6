// The server process of one peer: `node peer-server.mjs FILE ADDRESS`. Says `ready`, `collected` when it was told `collect`,
// and what was on the stack when it is told `profile` a second time.
import { createInterface } from 'node:readline';
import { setImmediate as nextImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { toggleProfile } from './profiler.mjs';

const [file, address] = process.argv.slice(2);
const { serve } = await import(file);
await serve(address);
console.log('ready');

/** Looked at by who measures memory; never while calls are measured. */
async function collect() {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc');
  for (let round = 0; round < 5; round += 1) {
    await nextImmediate();
    collectGarbage();
  }
  console.log('collected');
}

async function profile() {
  console.log(JSON.stringify(await toggleProfile()));
}

const ORDERS = { collect, profile };

createInterface({ input: process.stdin })
  .on('line', (line) => void ORDERS[line]())
  .on('close', () => process.exit(0));
