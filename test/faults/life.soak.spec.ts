import { expect } from '@jest/globals';
import type { Child } from '../support/child.js';
import { fault } from './support/fault.js';
import { end, order } from './support/order.js';
import type { Scene } from './support/scene.js';
import { type ServerVitals, type Vitals, vitalsOf } from './support/vitals.js';

/** `FAULT_SEED=7 npm run test:soak -- life` makes the same choices again. */
const SEED = Number(process.env['FAULT_SEED'] ?? Date.now() % 1_000_000);
const HOURS = 24;
const HOUR_MS = 11_000;
/** Behind them the heap is what it should always be. */
const WARM_UP_HOURS = 4;
const MEDIAN_OF = 5;
const GROWTH = 1.1;

fault(
  'a day of life at high speed in five minutes: connects, calls, cancels, drops, restarts',
  {
    promise:
      'heap used after forced collection, median of 5, within 10% of after warm-up; no timers, listeners, descriptors or map entries left',
    // The last two are of peers without our client: one in the middle of a restart, one whose connection was cut.
    codes: ['CONNECTION_LOST', 'NO_SERVER', 'CUT'],
    limitMs: 15 * 60_000,
  },
  async (scene) => {
    process.stderr.write(`FAULT_SEED=${SEED} makes the same choices.\n`);
    const { rawPath } = scene;
    const server = scene.startWatched();
    await server.says(/^ready$/m);
    const client = scene.startClient('life-client', { rawPath, seed: SEED, hourMs: HOUR_MS });
    await client.says(/^ready$/m);
    const before = await look(server, client);

    const hours: Look[] = [];
    for (let hour = 0; hour < HOURS; hour += 1) {
      await live(scene, server, client, hour);
      hours.push(await look(server, client));
    }
    await order(client, 'leave', /^left\n/gm);
    const after = await look(server, client);

    holdHeaps(hours.slice(WARM_UP_HOURS));
    for (const hour of hours) expect(figuresOf(hour)).toEqual(figuresOf(hours[0]!));
    expect(hours[0]?.server).toMatchObject({ connections: 1, sockets: 1, callsInFlight: 0 });
    expect(after.server).toMatchObject({ connections: 0, sockets: 0, callsInFlight: 0, others: [] });
    for (const side of ['server', 'client'] as const)
      expect(restOf(after[side])).toEqual(restOf(before[side]));
    for (const program of [client, server]) await end(program);
  },
);

interface ClientVitals extends Vitals {
  /** Of a signal that was given to calls all day. */
  readonly signalListeners: number;
}

interface Look {
  readonly server: ServerVitals;
  readonly client: ClientVitals;
}

/** Of calls. */
interface Tally {
  readonly asked: number;
  readonly settled: number;
  /** Of those that failed, or were answered wrongly. */
  readonly codes: Readonly<Record<string, number>>;
}

async function look(server: Child, client: Child): Promise<Look> {
  return { server: await vitalsOf(server), client: await vitalsOf<ClientVitals>(client) };
}

/** One hour: the server is restarted twice, and cuts all of its connections once. */
async function live({ row }: Scene, server: Child, client: Child, hour: number): Promise<void> {
  client.write('hour\n');
  for (const [quarter, what] of ['restart', 'drop', 'restart'].entries()) {
    await client.says(new RegExp(`^hour ${hour}: quarter ${quarter + 1} is over$`, 'm'));
    await order(server, what, /^(restarted|dropped)\n/gm);
  }
  const isOver = new RegExp(`^hour ${hour} is over: (.*)\n`, 'm');
  await client.says(isOver);
  const { asked, settled, codes } = JSON.parse(isOver.exec(client.stdout)?.[1] ?? '{}') as Tally;
  row.add({ atRisk: asked, lost: asked - settled });
  for (const [code, count] of Object.entries(codes)) row.addCode(code, count);
}

function holdHeaps(hours: readonly Look[]): void {
  for (const side of ['server', 'client'] as const) {
    const bytes = hours.map((hour) => hour[side].heapBytes);
    const [before, after] = [medianOf(bytes.slice(0, MEDIAN_OF)), medianOf(bytes.slice(-MEDIAN_OF))];
    process.stderr.write(
      `heap of the ${side}: ${before} bytes after warm-up, ${after} at the end of the day\n`,
    );
    expect(after).toBeLessThan(before * GROWTH);
  }
}

/** At the end of an hour: the one client that stays, and nothing of all the others. One timer may wait for its deadlines. */
function figuresOf({ server, client }: Look): object {
  const { connections, sockets, callsInFlight, descriptors, listeners } = server;
  return {
    server: { connections, sockets, callsInFlight, descriptors, listeners },
    client: { descriptors: client.descriptors, listeners: client.listeners, signal: client.signalListeners },
  };
}

/** What is left where nobody is there. */
const restOf = ({ descriptors, resources, listeners }: Vitals): object => ({
  descriptors,
  resources,
  listeners,
});

const medianOf = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
