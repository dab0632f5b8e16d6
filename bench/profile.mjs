// `npm run bench:profile [-- --case ID]`: where the processor time of a call goes, ours beside the floor, by layer and by function; in
// turns. What the profiler itself costs is in it: the shares tell, not the sums.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { CASES } from './cases.mjs';
import { prepare } from './prepare.mjs';

const ROUNDS = 5;
const ROUND_MS = 2_000;
const LIMIT_MS = 60_000;
const WARM_UP_MS = 500;
const MANY = 1e9;
const SHOWN = 40;
const SIDES = ['server', 'client'];

/** From the outside in; the first that fits. */
const LAYERS = [
  // dispatch: what starts and ends the profiler
  ['not running', ({ name, url }) => name === '(idle)' || (name === 'dispatch' && url === '')],
  ['garbage collection', ({ name }) => name === '(garbage collector)'],
  ["Node's own C++, system calls", ({ name, url }) => name === '(program)' || url === ''],
  ['src/protocol', ({ url }) => url.includes('/nest-uds/dist/protocol/')],
  ['src/net', ({ url }) => url.includes('/nest-uds/dist/net/')],
  ['src/transport', ({ url }) => url.includes('/nest-uds/dist/')],
  ['@nestjs', ({ url }) => url.includes('/@nestjs/')],
  ['rxjs', ({ url }) => url.includes('/rxjs/')],
  ["Node's own JavaScript", ({ url }) => url.startsWith('node:')],
  ['the bench', () => true],
];
const IDLE = LAYERS[0][0];

const layerOf = (entry) => LAYERS.find(([, fits]) => fits(entry))[0];

/** What one peer took a call, by side and by function. */
class Costs {
  calls = 0;
  #functions = new Map();

  add(side, entries, calls) {
    this.calls += calls;
    for (const entry of entries) {
      const file = entry.url.split(/node_modules\/(?:nest-uds\/dist\/)?/).at(-1);
      const where = `${entry.name || '(anonymous)'}${file === '' ? '' : ` ${file}:${entry.line}`}`;
      const key = `${side} ${where}`;
      const known = this.#functions.get(key) ?? { side, where, layer: layerOf(entry), us: 0 };
      known.us += entry.us;
      this.#functions.set(key, known);
    }
  }

  /** Microseconds a call of what `fits`. */
  usOf(fits) {
    let us = 0;
    for (const each of this.#functions.values()) if (each.layer !== IDLE && fits(each)) us += each.us;
    return us / (this.calls / SIDES.length);
  }

  get all() {
    return [...this.#functions.values()];
  }
}

const known = CASES.filter(({ kind }) => kind === 'echo');
const { values: told } = parseArgs({ options: { case: { type: 'string', default: '64B-64' } } });
const asked = known.find(({ id }) => id === told.case);
if (asked === undefined) {
  console.error(`--case takes one of ${known.map(({ id }) => id).join(', ')}.`);
  process.exit(2);
}

/** Calls for so long. */
async function echo(peer, durationMs) {
  const { payload, inFlight, connections } = asked;
  const answer = await peer.order(
    ['echo', payload, 0, inFlight, connections, durationMs, MANY],
    durationMs + LIMIT_MS,
  );
  if (answer === undefined) throw new Error(`${peer.name}: ${peer.failed}`);
  return answer;
}

async function measure(peer, costs) {
  await echo(peer, WARM_UP_MS);
  await peer.profile();
  const { calls } = await echo(peer, ROUND_MS);
  const profiles = await peer.profile();
  for (const side of SIDES) costs.add(side, profiles[side], calls);
}

const cell = (us) => us.toFixed(2).padStart(7);

function show(title, rows, ours, floor) {
  const width = Math.max(title.length, ...rows.map(([says]) => says.length));
  console.log(`\n${title.padEnd(width)}     ours   floor   above`);
  for (const [says, fits] of rows) {
    const [us, floorUs] = [ours.usOf(fits), floor.usOf(fits)];
    if (us + floorUs >= 0.005)
      console.log(`${says.padEnd(width)}  ${cell(us)} ${cell(floorUs)} ${cell(us - floorUs)}`);
  }
}

prepare();
const { peerOf } = await import('./peers.mjs');
const folder = mkdtempSync(join(tmpdir(), 'uds-profile-'));
const peers = [];
for (const file of ['nest-uds', 'floor']) {
  const own = join(folder, file);
  mkdirSync(own);
  peers.push({ peer: await peerOf(file, own), costs: new Costs() });
}
for (const { peer } of peers) {
  await peer.start();
  await echo(peer, ROUND_MS);
}
for (let round = 0; round < ROUNDS; round += 1)
  for (const { peer, costs } of round % 2 === 0 ? peers : peers.toReversed()) await measure(peer, costs);
for (const { peer } of peers) await peer.stop();
rmSync(folder, { recursive: true, force: true });

const [ours, floor] = peers.map(({ costs }) => costs);
console.log(`Microseconds of processor time a call in the case ${asked.id}, with the profiler`);
show('both ends together', [['all of it', () => true]], ours, floor);
for (const side of SIDES) {
  const layers = LAYERS.map(([layer]) => [layer, (each) => each.side === side && each.layer === layer]);
  show(`${side}, by layer`, layers, ours, floor);
}
const above = ({ side, where }) => {
  const fits = (each) => each.side === side && each.where === where;
  return ours.usOf(fits) - floor.usOf(fits);
};
const functions = ours.all.filter(({ layer }) => layer !== IDLE).sort((a, b) => above(b) - above(a));
const lines = functions.slice(0, SHOWN).map(({ side, where, layer }) => {
  const fits = (each) => each.side === side && each.where === where;
  return [`${side}  ${layer}  ${where}`, fits];
});
show(`the ${SHOWN} functions that are furthest above the floor`, lines, ours, floor);
