import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

interface TempFolder {
  path: string;
  mayLeave: RegExp | undefined;
}

/**
 * A fresh folder with a short name (a socket's path has 107 bytes at most), made in a hook or in a test.
 * leaks.ts removes it after the test, or after the file where it was made outside of a test, and fails the
 * file for each entry it finds there, unless `mayLeave` matches the entry's name.
 */
export function tempFolder({ mayLeave }: { mayLeave?: RegExp } = {}): string {
  const path = mkdtempSync(join(tmpdir(), 'uds-'));
  registered().push({ path, mayLeave });
  return path;
}

/** The list that leaks.ts lays into each file's global scope; the two share no other state. */
function registered(): TempFolder[] {
  const list = (globalThis as Record<symbol, unknown>)[Symbol.for('nest-uds.temp-folders')];
  if (!Array.isArray(list)) throw new Error('tempFolder() works in test files alone');
  return list as TempFolder[];
}
