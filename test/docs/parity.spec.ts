import { expect, it } from '@jest/globals';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { renderPage } from '../transport/parity/page.js';
import { scenarios } from '../transport/parity/scenarios.js';

const PAGE = 'docs/parity.md';

it('docs/parity.md is what the rows of the parity suite say', () => {
  const page = renderPage(scenarios);
  // `npm run docs:parity`
  if (process.env['WRITE_PARITY_PAGE'] !== undefined) writeFileSync(PAGE, page);
  expect(readFileSync(PAGE, 'utf8')).toBe(page);
});

it('each subject has the file that the page links to', () => {
  expect(scenarios.filter(({ file }) => !existsSync(file))).toEqual([]);
});

it('each subject and each row of it has a name of its own, so that a failure is found', () => {
  const titles = scenarios.map(({ title }) => title);
  expect(titles).toEqual([...new Set(titles)]);
  for (const { title, rows } of scenarios) {
    const names = rows.map(({ says }) => `${title}: ${says}`);
    expect(names).toEqual([...new Set(names)]);
  }
});
