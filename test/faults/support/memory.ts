import { expect } from '@jest/globals';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { Child } from '../../support/child.js';

/** Whether the system tells how much memory a process had at most. */
const knowsPeaks = existsSync('/proc/self/clear_refs');

const KIB = 1024;

/**
 * What a server under attack may take beside what its options let it hold: what a collector has not looked at yet. V8's young
 * generation is three times 16 MiB here, and it lets 64 MiB lie outside of the heap (what was read or waits to be written) and
 * the old generation grow somewhat before it looks there. Of a server that had just started 93 MiB were seen, on Node 24.
 */
const SLACK_BYTES = 128 * KIB ** 2;

/**
 * Holds a process to grow by no more than that, and the slack, while something is done to it.
 *
 * @param computedBytes from the options alone.
 */
export async function expectGrowth(
  server: Child,
  computedBytes: number,
  during: () => Promise<void>,
): Promise<void> {
  forgetPeak(server);
  const startBytes = memoryOf(server).nowBytes;
  await during();
  const grownBytes = memoryOf(server).peakBytes - startBytes;
  process.stderr.write(`memory grew by ${mib(grownBytes)} at most, ${mib(computedBytes)} are computed\n`);
  if (knowsPeaks) expect(grownBytes).toBeLessThan(computedBytes + SLACK_BYTES);
}

const mib = (bytes: number): string => `${(bytes / KIB ** 2).toFixed(1)} MiB`;

/** Forgets how much memory a process had at most; proc(5), clear_refs. */
function forgetPeak({ pid }: Child): void {
  if (knowsPeaks) writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

/** How much memory a process had at most since then, and has now. */
function memoryOf({ pid }: Child): { readonly peakBytes: number; readonly nowBytes: number } {
  if (!knowsPeaks) return { peakBytes: 0, nowBytes: 0 };
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const field = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) * KIB;
  return { peakBytes: field('VmHWM'), nowBytes: field('VmRSS') };
}
