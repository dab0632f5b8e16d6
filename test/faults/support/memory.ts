import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { Child } from '../../support/child.js';

/** Whether the system tells how much memory a process had at most. */
export const knowsPeaks = existsSync('/proc/self/clear_refs');

const KIB = 1024;

/** Forgets how much memory a process had at most; proc(5), clear_refs. */
export function forgetPeak({ pid }: Child): void {
  if (knowsPeaks) writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

/** How much memory a process had at most since then, and has now. */
export function memoryOf({ pid }: Child): { readonly peakBytes: number; readonly nowBytes: number } {
  if (!knowsPeaks) return { peakBytes: 0, nowBytes: 0 };
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const field = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) * KIB;
  return { peakBytes: field('VmHWM'), nowBytes: field('VmRSS') };
}
