// Runs what `npm test` and `npm run test:soak` run, without coverage, on each version of Node that is supported, and prints a table:
// `npm run test:matrix [-- VERSION... WORD...]`, of some versions alone, or of the files whose path holds a word. The binaries
// come from the registry, into a temporary folder.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';

const VERSIONS = ['20', '22', '24'];
/** For which the registry has binaries, as packages. */
const SYSTEM = 'linux-x64';
const MAX_SHOWN = 20;
/** What `npm test` runs, and the long rows of the table of faults. */
const RUNS = [[], ['--config', 'jest.soak.config.js']];

const words = process.argv.slice(2);
const asked = words.filter((word) => /^\d+$/.test(word));
const rest = words.filter((word) => !asked.includes(word));
const here = `${process.platform}-${process.arch}`;
const temp = mkdtempSync(join(tmpdir(), 'uds-matrix-'));

/** The path of a binary. @throws Error where it can't be had, or does not run. */
function install(version) {
  const folder = join(temp, version);
  const args = ['install', '--no-save', '--no-audit', '--no-fund', '--ignore-scripts', '--prefix', folder];
  const { status, stderr } = spawnSync('npm', [...args, `node-${SYSTEM}@${version}`], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`npm can't install node-${SYSTEM}@${version}: ${stderr}`);
  const binary = join(folder, 'node_modules', `node-${SYSTEM}`, 'bin', 'node');
  const { stdout, error } = spawnSync(binary, ['--version'], { encoding: 'utf8' });
  if (!stdout?.startsWith(`v${version}.`)) throw new Error(`${binary} does not run: ${error ?? stdout}`);
  return { binary, name: stdout.trim() };
}

/** One run with one binary. Children find the same one: most by process.execPath, those of npm in the path. */
function run(binary, config) {
  const output = join(temp, 'result.json');
  rmSync(output, { force: true });
  const jest = [
    '--experimental-vm-modules',
    '--disable-warning=ExperimentalWarning',
    'node_modules/jest/bin/jest.js',
  ];
  // A word may choose files of the other run alone.
  const args = [...jest, ...config, '--json', `--outputFile=${output}`, '--passWithNoTests', ...rest];
  const PATH = `${dirname(binary)}${delimiter}${process.env.PATH}`;
  const { status } = spawnSync(binary, args, {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, PATH },
  });
  return { status, ...resultsOf(JSON.parse(readFileSync(output, 'utf8'))) };
}

/** The whole suite with one binary. */
function test({ binary, name }) {
  const startedAtMs = performance.now();
  const results = RUNS.map((config) => run(binary, config));
  const sum = (key) => results.reduce((total, result) => total + result[key], 0);
  return {
    name,
    status: sum('status'),
    minutes: (performance.now() - startedAtMs) / 60_000,
    passed: sum('passed'),
    failed: sum('failed'),
    skipped: sum('skipped'),
    failures: results.flatMap(({ failures }) => failures),
  };
}

function resultsOf({
  numPassedTests,
  numFailedTests,
  numPendingTests,
  numRuntimeErrorTestSuites,
  testResults,
}) {
  const tests = testResults.flatMap(({ assertionResults }) => assertionResults);
  const broken = testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && !hasFailed(assertionResults),
  );
  return {
    passed: numPassedTests,
    failed: numFailedTests + numRuntimeErrorTestSuites,
    skipped: numPendingTests,
    failures: [
      ...tests.filter(({ status }) => status === 'failed').map(({ fullName }) => fullName),
      ...broken.map(({ name }) => name),
    ],
  };
}

const hasFailed = (tests) => tests.some(({ status }) => status === 'failed');

function tryVersion(version) {
  try {
    return test(install(version));
  } catch (error) {
    return {
      name: `v${version}`,
      status: 1,
      minutes: 0,
      passed: 0,
      failed: 0,
      skipped: 0,
      failures: [error.message],
    };
  }
}

function print(results) {
  const row = (cells) =>
    cells.map((cell, at) => (at === 0 ? String(cell).padEnd(12) : String(cell).padStart(9))).join('');
  console.log(`\n${row(['Node', 'passed', 'failed', 'skipped', 'minutes', 'verdict'])}`);
  for (const { name, status, minutes, passed, failed, skipped, failures } of results) {
    console.log(row([name, passed, failed, skipped, minutes.toFixed(1), status === 0 ? 'ok' : 'FAILED']));
    for (const failure of failures.slice(0, MAX_SHOWN)) console.log(`    ${failure}`);
    if (failures.length > MAX_SHOWN) console.log(`    and ${failures.length - MAX_SHOWN} more`);
  }
}

try {
  if (here !== SYSTEM)
    throw new Error(
      `The registry's packages of Node are for ${SYSTEM}, and this is ${here}: run npm test under each version yourself.`,
    );
  const results = (asked.length > 0 ? asked : VERSIONS).map(tryVersion);
  print(results);
  process.exitCode = results.every(({ status }) => status === 0) ? 0 : 1;
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  rmSync(temp, { recursive: true, force: true });
}
