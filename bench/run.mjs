// `npm run bench`: every peer of every case, side by side; a table, bench/results/latest.json and bench/results/report.html.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readOptions } from './options.mjs';
import { prepare } from './prepare.mjs';

const { cases, pace, json } = readOptions(process.argv.slice(2));
prepare();
// What the peers need is there from here on.
const [{ figuresOf }, { measure }, { writeReport }, { tableOf }] = await Promise.all(
  ['./figures.mjs', './measure.mjs', './report.mjs', './table.mjs'].map((file) => import(file)),
);

const RESULTS = join(import.meta.dirname, 'results');
mkdirSync(RESULTS, { recursive: true });
const file = json ?? join(RESULTS, 'latest.json');
const results = await measure(cases, pace);
const figures = figuresOf(results.cases);
writeFileSync(file, `${JSON.stringify({ ...results, figures }, null, 2)}\n`);
console.log(tableOf(results, figures));
const page = join(RESULTS, 'report.html');
await writeReport(page, results, figures);
console.log(`\n${file}\n${page}`);
