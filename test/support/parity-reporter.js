const SUITE = 'parity with Nest TCP';

const pad = (text, width) => `${text}${' '.repeat(Math.max(0, width - text.length))}`;

/** Jest's reporter for the parity suite: prints, behind the last test, what of each scenario is equal and what is not. */
export default class ParityReporter {
  #counts = new Map();

  onTestResult(_test, { testResults }) {
    for (const { ancestorTitles, title, status } of testResults) {
      if (ancestorTitles[0] !== SUITE || status === 'pending') continue;
      const scenario = ancestorTitles[1];
      const count = this.#counts.get(scenario) ?? { equal: 0, exception: 0, failed: 0 };
      this.#counts.set(scenario, count);
      count[status === 'passed' ? title.slice(0, title.indexOf(':')) : 'failed'] += 1;
    }
  }

  onRunComplete() {
    if (this.#counts.size === 0) return;
    const width = Math.max(...[...this.#counts.keys()].map((name) => name.length));
    const total = { equal: 0, exception: 0, failed: 0 };
    const line = (name, { equal, exception, failed }) =>
      `  ${pad(name, width)}  ${String(equal).padStart(5)}  ${String(exception).padStart(10)}  ${String(failed).padStart(6)}\n`;
    let table = `\nParity with Nest TCP\n  ${pad('', width)}  equal  exceptions  failed\n`;
    for (const [name, count] of this.#counts) {
      table += line(name, count);
      for (const key of Object.keys(total)) total[key] += count[key];
    }
    process.stderr.write(`${table}${line('all', total)}\n`);
  }
}
