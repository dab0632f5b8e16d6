import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expectedRows } from './expected-rows.js';

const COLUMNS = ['at risk', 'lost', 'doubled', 'wrong'];
const pad = (text, width) => `${text}${' '.repeat(Math.max(0, width - text.length))}`;
const numbers = (values) =>
  values.map((value, at) => String(value).padStart(COLUMNS[at].length + 2)).join('');

/**
 * Jest's reporter for the fault suite: prints the table of faults at the very end, and fails the run where a row is
 * broken, unknown, or missing (in a run that was asked for some files or tests alone, what it left out may be missing).
 * Its option `rows` says which ones belong to the run: 'all', 'short' or 'long'.
 */
export default class FaultReporter {
  #folder = mkdtempSync(join(tmpdir(), 'uds-rows-'));
  #file = join(this.#folder, 'rows');
  #failedTests = new Set();
  #skippedTests = [];
  #expected;
  #isPart;
  #broken = [];

  constructor({ testPathPatterns, testNamePattern }, { rows }) {
    this.#expected = expectedRows(rows);
    this.#isPart = testPathPatterns.isSet() || Boolean(testNamePattern);
    writeFileSync(this.#file, '');
    // Tests append their rows there; see fault.ts.
    process.env.FAULT_ROWS = this.#file;
  }

  onTestResult(_test, { testResults }) {
    for (const { title, status } of testResults) {
      if (status === 'failed') this.#failedTests.add(title);
      if (status === 'pending') this.#skippedTests.push(title);
    }
  }

  onRunComplete() {
    const rows = this.#readRows();
    rmSync(this.#folder, { recursive: true, force: true });
    // Who asked for other tests is not to read of faults.
    if (this.#isPart && rows.size === 0) return;
    const names = [...new Set([...this.#expected, ...rows.keys()])];
    const width = Math.max(...names.map((name) => name.length));
    const heads = COLUMNS.map((head) => `  ${head}`).join('');
    let table = `\nFaults\n  ${pad('', width)}${heads}  verdict\n`;
    for (const name of names) table += this.#show(name, rows.get(name), width);
    process.stderr.write(`${table}\n`);
  }

  /** Jest's question after the run: an error fails it, whatever the tests say. */
  getLastError() {
    if (this.#broken.length > 0) return new Error(`Faults whose row fails: ${this.#broken.join('; ')}`);
    return undefined;
  }

  /** By fault; the last word of each counts. */
  #readRows() {
    const lines = readFileSync(this.#file, 'utf8').split('\n').filter(Boolean);
    return new Map(lines.map((line) => JSON.parse(line)).map((row) => [row.fault, row]));
  }

  #show(name, row, width) {
    if (row === undefined) {
      const [, reason] =
        /\((skipped: .*)\)$/.exec(this.#skippedTests.find((title) => title.startsWith(`${name}:`))) ?? [];
      if (!this.#isPart && reason === undefined) this.#broken.push(name);
      const verdict = reason ?? (this.#isPart ? 'not asked for' : 'MISSING');
      return `  ${pad(name, width)}${numbers(COLUMNS.map(() => '-'))}  ${verdict}\n`;
    }
    const complaints = this.#complaintsOf(row);
    if (complaints.length > 0) this.#broken.push(name);
    const { atRisk, lost, doubled, wrong, codes, promise } = row;
    const verdict = complaints.length > 0 ? 'BROKEN' : 'kept';
    const seen = Object.entries(codes).map(([code, count]) => `${code} ${count}`);
    const because = complaints.length > 0 ? [`broken: ${complaints.join('; ')}`] : [];
    return [
      `  ${pad(name, width)}${numbers([atRisk, lost, doubled, wrong])}  ${verdict}`,
      ...[`promised: ${promise}`, `codes: ${seen.join(', ') || 'none'}`, ...because].map(
        (line) => `      ${line}`,
      ),
      '',
    ].join('\n');
  }

  #complaintsOf({ fault, title, complaints, isOver }) {
    const all = [...complaints];
    if (!isOver) all.push('it did not come to its end');
    else if (all.length === 0 && this.#failedTests.has(title)) all.push('its test failed');
    if (!this.#expected.includes(fault))
      all.push(
        'expected-rows.js has no such row, or it is long and its file no soak.spec, or the other way round',
      );
    return all;
  }
}
