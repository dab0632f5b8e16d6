import { expect } from '@jest/globals';
import { until } from '../support/wait.js';
import { fault } from './support/fault.js';
import type { Scene } from './support/scene.js';

const CALLS = 1000;
const STREAMS = 100;
const VICTIM = 'victim';
/** What the promise calls a second. */
const LIMIT_MS = 1000;
/** What others are answered before it and behind it. */
const ANSWERED = 300;

fault(
  'kill -9 a client with 1,000 calls and 100 streams running',
  {
    promise:
      'every signal aborted, every Observable torn down, every iterator returned within a second; other clients notice nothing',
  },
  async (scene) => {
    const server = await scene.serve();
    const other = scene.startClient('steady-client', { name: 'other', inFlight: 64, streams: 3 });
    await other.says(/^under way$/m);
    await someAnswers(scene);

    const victim = scene.startClient('held-client', { name: VICTIM, calls: CALLS, streams: STREAMS });
    await until(() => idsOfVictim(scene, ['ran']).length === CALLS + STREAMS, 'all of its calls run');
    const killedAtMs = Date.now();
    victim.signal('SIGKILL');
    expect(await victim.exit()).toBe('SIGKILL');
    await allEnded(scene);
    countVictim(scene, killedAtMs);

    await someAnswers(scene);
    other.write('stop\n');
    expect(await other.exit()).toBe(0);
    expect([...scene.ledger.of('parted').keys()]).toEqual([]);
    server.signal('SIGTERM');
    expect(await server.exit()).toBe(0);
    expect(server.stdout + server.stderr).toBe('standing by\nready\n');
  },
);

const ENDS = ['aborted', 'torn', 'returned'];

/** With their times, as often as they were written. */
function idsOfVictim(scene: Scene, verbs: readonly string[]): (readonly [id: string, atMs: number])[] {
  return verbs
    .flatMap((verb) => [...scene.journal.of(verb)])
    .filter(([id]) => id.startsWith(`${VICTIM}-`))
    .flatMap(([id, entries]) => entries.map(({ atMs }) => [id, atMs] as const));
}

/** Or not within the limit of `until`; what is missing is counted then. */
async function allEnded(scene: Scene): Promise<void> {
  const all = (): boolean => new Set(idsOfVictim(scene, ENDS).map(([id]) => id)).size === CALLS + STREAMS;
  await until(all, 'all of its calls ended').catch(() => undefined);
}

/** Lost is what did not end, or not in time. */
function countVictim(scene: Scene, killedAtMs: number): void {
  const ends = idsOfVictim(scene, ENDS);
  const ended = new Set(ends.filter(([, atMs]) => atMs - killedAtMs <= LIMIT_MS).map(([id]) => id));
  scene.row.add({
    atRisk: CALLS + STREAMS,
    lost: CALLS + STREAMS - ended.size,
    doubled: ends.length - new Set(ends.map(([id]) => id)).size,
  });
}

async function someAnswers(scene: Scene): Promise<void> {
  const before = scene.ledger.count('answered');
  await until(() => scene.ledger.count('answered') - before >= ANSWERED, 'the other client is answered');
}
