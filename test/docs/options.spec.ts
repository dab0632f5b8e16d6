import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { CHOICE_TABLE, OPTION_TABLE, type OptionRow } from '../../src/index.js';

const page = readFileSync('docs/options.md', 'utf8');
const types = readFileSync('src/transport/uds.options.ts', 'utf8');

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

  test.each(OPTION_TABLE.map((row) => [row.name, row] as const))(
    '%s says the same in the types',
    (name, row) => {
      const [, comment] =
        new RegExp(`/\\*\\* ([^\n]*) \\*/\\n  readonly ${name}\\?: number;`).exec(types) ?? [];
      const number = (value: number): string =>
        row.unit === 'octal' ? `0o${value.toString(8).padStart(3, '0')}` : value.toLocaleString('en');
      const unit = row.unit === 'bytes' || row.unit === 'ms' ? ` ${row.unit}` : '';
      const usual = row.default === undefined ? 'as the system has it' : `${number(row.default)}${unit}`;
      expect(comment).toBe(`${row.says} Default: ${usual}; from ${number(row.min)} to ${number(row.max)}.`);
    },
  );

  test('lists no numeric option that is not in the table', () => {
    const listed = [...page.matchAll(/^\| `(\w+)` \| \w+ \| [^|]+ \| \w+ \| [^|]+ to /gm)].map(
      (match) => match[1],
    );
    expect(listed).toEqual(OPTION_TABLE.map((row) => row.name));
  });

  test.each(CHOICE_TABLE.map((row) => [row.name, row] as const))(
    'says of the word %s what its table says, as the types do',
    (name, { choices: [usual, ...others], says }) => {
      const named = others.map((other) => `\`${other}\``).join(', ');
      expect(page.split('\n')).toContain(`| \`${name}\` | server | \`${usual}\` | ${named} | ${says} |`);
      const [, comment] = new RegExp(`/\\*\\* ([^\n]*) \\*/\n  readonly ${name}\\?: `).exec(types) ?? [];
      expect(comment).toBe(`${says} Default: ${usual}.`);
    },
  );
});
