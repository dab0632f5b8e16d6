import { describe, expect, it } from '@jest/globals';
import { cleanUpNow } from '../../support/cleanup.js';
import { type Kit, tcp, uds } from './kit.js';
import type { Exception, See } from './row.js';
import { scenarios } from './scenarios.js';

/** One transport after the other: a logger of Nest serves the whole file, and each run has its own. */
async function seen(see: See, kit: Kit): Promise<unknown> {
  try {
    return await see(kit);
  } finally {
    await cleanUpNow();
  }
}

async function differs({ see, tcp: theirs, uds: ours }: Exception): Promise<void> {
  expect(await seen(see, tcp)).toStrictEqual(theirs.sees);
  expect(await seen(see, uds)).toStrictEqual(ours.sees);
  // Else it would be no exception.
  expect(ours.sees).not.toStrictEqual(theirs.sees);
}

// test/support/parity-reporter.js counts these by their names.
describe('parity with Nest TCP', () => {
  for (const { title, rows } of scenarios) {
    describe(title, () => {
      for (const row of rows) {
        it(`${row.kind}: ${row.says}`, async () => {
          if (row.kind === 'exception') return differs(row);
          const theirs = await seen(row.see, tcp);
          const ours = await seen(row.see, uds);
          expect(ours).toStrictEqual(theirs);
          expect(ours).toStrictEqual(row.sees);
        });
      }
    });
  }
});
