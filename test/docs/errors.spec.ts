import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { ERROR_CODES } from '../../src/index.js';

const page = readFileSync('docs/errors.md', 'utf8');
const codes = Object.entries(ERROR_CODES);
const yesNo = (value: boolean): string => (value ? 'yes' : 'no');

describe('docs/errors.md', () => {
  test.each(codes)(
    'says of %s whose fault it is, whether the connection lives and a retry is safe',
    (code, facts) => {
      const start = `| \`${code}\` | ${facts.fault} | ${yesNo(facts.connectionLives)} | ${yesNo(facts.retrySafe)} | `;
      const row = page.split('\n').find((line) => line.startsWith(start));
      expect(row?.slice(start.length)).toMatch(/^[A-Z`].*\. \|$/);
    },
  );

  test('lists no code that does not exist', () => {
    const listed = [...page.matchAll(/^\| `([A-Z_]+)` \|/gm)].map((match) => match[1]);
    expect(listed.sort()).toEqual(codes.map(([code]) => code).sort());
  });
});
