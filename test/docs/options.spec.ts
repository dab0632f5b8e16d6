import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { OPTION_TABLE, type OptionRow } from '../../src/index.js';

const page = readFileSync('docs/options.md', 'utf8');

function show(row: OptionRow, value: number | undefined): string {
  if (value === undefined) return 'as the system has it';
  return row.unit === 'octal' ? `0${value.toString(8).padStart(3, '0')}` : value.toLocaleString('en');
}

function pageRow(row: OptionRow): string {
  const range = `${show(row, row.min)} to ${show(row, row.max)}`;
  return `| \`${row.name}\` | ${row.side} | ${show(row, row.default)} | ${row.unit} | ${range} | ${row.says} |`;
}

describe('docs/options.md', () => {
  test.each(OPTION_TABLE.map((row) => [row.name, row] as const))(
    'says of %s what the table says',
    (_name, row) => {
      expect(page.split('\n')).toContain(pageRow(row));
    },
  );

  test('lists no numeric option that is not in the table', () => {
    const listed = [...page.matchAll(/^\| `(\w+)` \| \w+ \| [^|]+ \| \w+ \| [^|]+ to /gm)].map(
      (match) => match[1],
    );
    expect(listed).toEqual(OPTION_TABLE.map((row) => row.name));
  });
});
