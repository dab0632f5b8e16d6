import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';

const page = readFileSync('SECURITY.md', 'utf8');

/** The rows of its tables, without their heads. */
const rows = page.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| claim'));
const claims = rows.map((row) => {
  const [, claim = row, file, name] = /^\| (.*) \| `([^`]+)`: (.*) \|$/.exec(row) ?? [];
  return { claim, file, name };
});

/** A name as it stands in a file of tests, whatever quotes it. */
const titlesOf = (file: string): string[] =>
  [...readFileSync(file, 'utf8').matchAll(/(['"`])((?:(?!\1|\n).)+)\1/g)].map((match) => String(match[2]));

describe('SECURITY.md', () => {
  test('makes its claims in tables', () => {
    expect(claims.length).toBeGreaterThan(20);
  });

  test.each(claims)('names a test that exists: $claim', ({ file, name }) => {
    expect(file).toMatch(/^test\/.*\.spec\.ts$/);
    expect(titlesOf(String(file))).toContain(name);
  });
});
