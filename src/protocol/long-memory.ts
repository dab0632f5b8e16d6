import { Buffer } from 'node:buffer';

/** What is shorter fits in memory that is in use anyway. */
const LONG_BYTES = 16 * 1024;
/** Somewhat less than the longest of which glibc remembers that it was given back. */
const REMEMBERED_BYTES = 32 * 1024 ** 2 - 64 * 1024;

let hasAsked = false;

/**
 * Memory for a long body or text, not zeroed.
 *
 * What the system gives it zeroes page by page as each is first touched, which takes ten times as long as filling memory that was in
 * use before: 800 us of CPU a MiB against 75, measured on two virtual cores. And glibc gives back what is free at the end of its
 * heap once that is 128 KiB, so each garbage collection would begin it anew. So the first long one has glibc learn to keep such
 * memory, by the documented way: once something has been given back, all that is no longer comes from the heap of the process, of
 * which it keeps twice as much (mallopt(3), M_MMAP_THRESHOLD, "dynamic mmap threshold"; M_TRIM_THRESHOLD). What is asked for here
 * is never touched, so it takes no memory. Other allocators do as they always do, and Node 24 asks for few pages by itself: the gain
 * is that of 20 and 22.
 */
export function longMemory(bytes: number): Buffer {
  if (!hasAsked && bytes >= LONG_BYTES) {
    hasAsked = true;
    Buffer.allocUnsafeSlow(REMEMBERED_BYTES);
  }
  return Buffer.allocUnsafeSlow(bytes);
}
