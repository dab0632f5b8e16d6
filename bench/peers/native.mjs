// An echo in C at both ends: what the machine can do. Programs of their own, which speak to the bench as the others do.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

export const name = 'C (the machine)';

const SOURCE = new URL('../native/echo.c', import.meta.url).pathname;

/** Gives what to run, or undefined where no compiler is there. */
export function build(folder) {
  const program = join(folder, 'echo');
  const { status } = spawnSync('cc', ['-O2', '-o', program, SOURCE], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return status === 0 ? program : undefined;
}
