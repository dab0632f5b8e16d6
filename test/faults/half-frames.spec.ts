import { expect } from '@jest/globals';
import { fault } from './support/fault.js';
import type { Scene } from './support/scene.js';
import { vitalsOf } from './support/vitals.js';

const KIB = 1024;
const TIMEOUT_MS = 1000;
/** A standstill is noticed after once to twice the time; the rest is a busy machine's. */
const NOTICED_MS = 2 * TIMEOUT_MS + 3000;
const DIALECTS = ['binary', 'ndjson', 'nest-json'];

/** What is sent of a call, and how. */
const PEERS = [
  { what: 'silent', bytes: 100 * KIB, firstBytes: 60 * KIB, stepBytes: 0, stepMs: 0, lives: false },
  { what: 'a byte a second', bytes: KIB, firstBytes: 50, stepBytes: 1, stepMs: 1000, lives: false },
  { what: 'slow', bytes: 1000 * KIB, firstBytes: 50, stepBytes: 100 * KIB, stepMs: 400, lives: true },
];

fault(
  'half a frame, then silence; one byte a second',
  { promise: 'cut by the partial-frame timeout; a slow but moving sender lives', codes: ['FRAME_TIMEOUT'] },
  async (scene) => {
    const { path, rawPath, journal } = scene;
    const options = { partialFrameTimeoutMs: TIMEOUT_MS };
    const server = scene.startClient('vital-server', { path, rawPath, journal: journal.path, options });
    await server.says(/^ready$/m);
    const honest = scene.startClient('steady-client', { name: 'honest', inFlight: 4, restMs: 2 });
    await honest.says(/^under way$/m);
    const before = await vitalsOf(server);

    await Promise.all(DIALECTS.flatMap((dialect) => PEERS.map((peer) => meet(scene, dialect, peer))));

    const { codes, others, descriptors } = await vitalsOf(server);
    for (const [code, count] of Object.entries(codes)) scene.row.addCode(code, count);
    expect(codes['FRAME_TIMEOUT']).toBe(DIALECTS.length * 2);
    expect({ others, descriptors }).toEqual({ others: [], descriptors: before.descriptors });
    honest.write('stop\n');
    expect({ exit: await honest.exit(), stderr: honest.stderr }).toEqual({ exit: 0, stderr: '' });
    expect([...scene.ledger.of('parted').keys()]).toEqual([]);
    server.write('end\n');
    expect({ exit: await server.exit(), stderr: server.stderr }).toEqual({ exit: 0, stderr: '' });
  },
);

async function meet(scene: Scene, dialect: string, peer: (typeof PEERS)[number]): Promise<void> {
  const client = scene.startClient('half-client', { dialect, ...peer });
  expect({ exit: await client.exit(), stderr: client.stderr }).toEqual({ exit: 0, stderr: '' });
  const told = JSON.parse(client.stdout) as { readonly isAnswered: boolean; readonly tookMs: number };
  scene.row.add({ atRisk: 1, lost: told.isAnswered === peer.lives ? 0 : 1 });
  if (!peer.lives && told.tookMs > NOTICED_MS)
    scene.row.complain(`${peer.what} in ${dialect} was cut after ${Math.round(told.tookMs)} ms`);
}
