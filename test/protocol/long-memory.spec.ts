import { describe, expect, it } from '@jest/globals';
import { longMemory } from '../../src/protocol/long-memory.js';
import { startNode } from '../support/child.js';

const MIB = 1024 ** 2;

const isGlibc =
  (process.report.getReport() as { header?: { glibcVersionRuntime?: string } }).header
    ?.glibcVersionRuntime !== undefined;

/** Prints how many pages the system had to give for 1,500 MiB that were taken, filled and dropped, behind 300 for a start. */
const PROGRAM = `
  import { longMemory } from './dist/protocol/long-memory.js';
  const pagesFor = (count) => {
    const before = process.resourceUsage().minorPageFault;
    for (let turn = 0; turn < count; turn += 1) longMemory(${MIB}).fill(1);
    return process.resourceUsage().minorPageFault - before;
  };
  pagesFor(300);
  console.log('pages', pagesFor(1500));
`;

describe('memory for what is long', () => {
  it('is as long as it is asked for', () => {
    expect([0, 1, 20_000, MIB].map((bytes) => longMemory(bytes).length)).toEqual([0, 1, 20_000, MIB]);
  });

  // Elsewhere there is another allocator.
  (isGlibc ? it : it.skip)('is used again, and not asked of the system anew (glibc alone)', async () => {
    const program = startNode(['--input-type=module', '--eval', PROGRAM]);
    expect(await program.exit()).toBe(0);
    expect(program.stdout).toMatch(/^pages \d+$/m);
    // Of 384,000. Without it 110,000 to 220,000 were seen on Node 20, with it up to 3,200 there, 1,600 on 22 and 8,000 on 24,
    // which asks for as few by itself.
    expect(Number(/\d+/.exec(program.stdout)?.[0])).toBeLessThan(16_000);
  });
});
