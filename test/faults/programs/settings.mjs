import { createInterface } from 'node:readline';

/** What the test says to a program as it starts it. */
export const settings = JSON.parse(process.argv[2]);

/** Resolves when the test writes that line. */
export function told(order) {
  const lines = createInterface({ input: process.stdin });
  return new Promise((resolve) => {
    lines.on('line', (line) => {
      if (line !== order) return;
      // An input that is still read keeps the process open.
      lines.close();
      process.stdin.destroy();
      resolve();
    });
  });
}
