import { describe, expect, it } from '@jest/globals';
import { stripVTControlCharacters } from 'node:util';
import { Row } from './row.js';
import { Scene } from './scene.js';

/*
 * How to add a row:
 *
 * 1. One file test/faults/NAME.spec.ts with one `fault(...)`; its name into expected-rows.js. Nothing else.
 * 2. Its body gets a Scene: a folder with a socket path, a way to start the server (programs/server.mjs under Nest;
 *    handlers.mjs has its patterns) and the clients (a program of its own where programs/ has none that fits).
 * 3. Every call has an id of its own. A server writes each id that it runs into `scene.journal`, a client each id that
 *    it asks for and what became of it into `scene.ledger` (programs/book.mjs): files, so that no kill takes them away.
 *    lost, doubled, wrong and the codes are counted from those two when the body has ended, also where it threw.
 * 4. What the two books can't say goes to `scene.row`: `add` for counts, `complain` for what is no count. What is not
 *    counted, `expect`.
 * 5. No call is made again by the test. Wait for what is said or written, with a limit (`Child.says`, `until`), and never
 *    for time to pass. A Child must not live for longer than a minute: long rows go in legs, or say their `limitMs`.
 * 6. `npm test` runs the row too, unless it is marked as `long` in expected-rows.js and its file is named *.soak.spec.ts.
 *    Together the others may take three minutes.
 */

/** Far above what almost any row takes. */
const LIMIT_MS = 180_000;
/** Characters of what a test failed with; Jest shows the whole. */
const MAX_REASON = 200;

interface Promised {
  readonly promise: string;
  /** The codes with which calls may fail; none, where every call must be answered. */
  readonly codes?: readonly string[];
  /** How long the row, and each of its processes, may take, where that is much. */
  readonly limitMs?: number;
  /** Why this machine can't do it; undefined where it can. */
  readonly skip?: string | undefined;
}

/** One row of the table of faults, and its test. */
export function fault(name: string, promised: Promised, body: (scene: Scene) => Promise<void>): void {
  describe('nobody loses a call', () => {
    const title = `${name}: ${promised.promise}`;
    const { promise, codes = [], limitMs, skip } = promised;
    const run = async (): Promise<void> => {
      const row = new Row({ fault: name, title, promise, codes });
      // Where the process itself dies, this is what is left of it.
      row.record();
      const scene = new Scene(row, limitMs);
      try {
        await body(scene);
      } catch (error) {
        row.complain(briefly(error));
        throw error;
      } finally {
        row.count(scene.journal, scene.ledger);
        row.end();
      }
      expect(row.complaints).toEqual([]);
    };
    if (skip === undefined) it(title, run, limitMs ?? LIMIT_MS);
    else it.skip(`${title} (skipped: ${skip})`, run);
  });
}

/** On one line of the table, without the colours that Jest gives to it. */
function briefly(error: unknown): string {
  const text = (error as Partial<Error>).message ?? String(error);
  return stripVTControlCharacters(text).replaceAll(/\s+/g, ' ').slice(0, MAX_REASON);
}
