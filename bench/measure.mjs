// Runs cases and gives the results.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SingleBar } from 'cli-progress';
import { KINDS } from './kinds.mjs';
import { payloadOf } from './payloads.mjs';
import { caseResult, runResult } from './results.mjs';

const turnsOf = ({ kind, peers, turns = 1 }, { rounds, starts }) =>
  peers.length * (kind === 'start' ? starts : rounds * turns);

/** @param cases with their peers @param pace how long and how often */
export async function measure(cases, pace) {
  const folder = mkdtempSync(join(tmpdir(), 'uds-bench-'));
  const bar = new SingleBar({
    format: '[{bar}] {percentage}%  {at}',
    clearOnComplete: true,
    hideCursor: true,
  });
  const results = [];
  bar.start(
    cases.reduce((sum, each) => sum + turnsOf(each, pace), 0),
    0,
    { at: '' },
  );
  try {
    for (const each of cases) {
      const task = each.payload === undefined ? each : { ...each, bytes: payloadOf(each.payload).bytes };
      const tick = (name) => bar.increment(1, { at: `${each.id}: ${name}` });
      bar.update({ at: `${each.id}: starts` });
      results.push(caseResult(each, await KINDS[each.kind](task, folder, { ...pace, tick })));
    }
  } finally {
    bar.stop();
    rmSync(folder, { recursive: true, force: true });
  }
  return runResult(pace.rounds, results);
}
