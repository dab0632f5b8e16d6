import { relative } from 'node:path';
import { mutants } from '../../scripts/mutants/list.mjs';

/**
 * Jest's reporter for the edits of `npm run test:mutants`: fails the run where one of them names a test that is not there (any more), which
 * would else be found by its own run alone. Files that did not run whole are left out.
 */
export default class EditsReporter {
  #isPart;
  /** The names of the tests of each file that ran. */
  #names = new Map();
  #error;
  #rootDir;

  constructor({ testNamePattern, rootDir }) {
    this.#rootDir = rootDir;
    this.#isPart = Boolean(testNamePattern);
  }

  onTestResult({ path }, { testResults, testExecError }) {
    if (this.#isPart || testExecError) return;
    this.#names.set(
      relative(this.#rootDir, path),
      testResults.filter(({ status }) => status !== 'todo').map(({ fullName }) => fullName),
    );
  }

  onRunComplete() {
    const lost = mutants.filter(
      ({ spec, name = '' }) => this.#names.get(spec)?.some((fullName) => fullName.includes(name)) === false,
    );
    if (lost.length === 0) return;
    const list = lost.map(({ says, spec, name }) => `\n  "${says}": ${spec} has no test "${name}"`);
    this.#error = new Error(
      `Edits whose test is not there (correct them in scripts/mutants):${list.join('')}`,
    );
    // Jest itself tells the exit code alone.
    process.stderr.write(`\n${this.#error.message}\n`);
  }

  getLastError() {
    return this.#error;
  }
}
