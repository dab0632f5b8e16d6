import { it } from '@jest/globals';

/** Nobody, on every Linux. */
export const NOBODY = 65_534;

const isRoot = process.geteuid?.() === 0;

/** A test that root alone can run; elsewhere its name says why it is skipped. */
export function itAsRoot(name: string, test: () => Promise<void>): void {
  if (isRoot) it(name, test);
  else it.skip(`${name} (skipped: only root may take another uid)`, test);
}

/** Runs as nobody: the system looks at the effective uid, for files as for sockets. */
export async function asNobody<T>(run: () => Promise<T>): Promise<T> {
  process.setegid?.(NOBODY);
  process.seteuid?.(NOBODY);
  try {
    return await run();
  } finally {
    process.seteuid?.(0);
    process.setegid?.(0);
  }
}
