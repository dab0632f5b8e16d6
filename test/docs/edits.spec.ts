import { describe, expect, it } from '@jest/globals';
import { existsSync, readFileSync } from 'node:fs';
import { mutants } from '../../scripts/mutants/list.mjs';

describe('each edit of npm run test:mutants', () => {
  it('names a text that its file holds once', () => {
    const count = (file: string, from: string): number => readFileSync(file, 'utf8').split(from).length - 1;
    expect(mutants.filter(({ file, from }) => count(file, from) !== 1)).toEqual([]);
  });

  it('names a file of tests that is there', () => {
    expect(mutants.filter(({ spec }) => !existsSync(spec))).toEqual([]);
  });

  it('says something that no other one says', () => {
    const all = mutants.map(({ says }) => says);
    expect(all.filter((says, at) => all.indexOf(says) !== at)).toEqual([]);
  });
});
