// Takes out one promise at a time and checks that the named test notices: `npm run test:mutants [-- WORD...]` runs all,
// or those whose sentence, file or spec holds one of the words; `-- --part 2/3` runs the second of every three.
// The tree itself is not touched: edits are made in copies of it.
import { spawn } from 'node:child_process';
import { clearTimeout, setTimeout } from 'node:timers';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { mutants } from './mutants/list.mjs';

const COPIED = [
  'src',
  'test',
  'docs',
  'dist',
  'scripts',
  'package.json',
  'jest.config.js',
  'jest.faults.config.js',
  'jest.soak.config.js',
  'tsconfig.json',
  'tsconfig.build.json',
  'nest-cli.json',
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'SECURITY.md',
  '.env.example',
];
const LIMIT_MS = 180_000;

function makeCopy() {
  const folder = mkdtempSync(join(tmpdir(), 'uds-mutants-'));
  for (const name of COPIED) cpSync(name, join(folder, name), { recursive: true });
  symlinkSync(resolve('node_modules'), join(folder, 'node_modules'));
  return folder;
}

/** Runs a program to its end; gives its exit code, -1 where it took too long. */
function run(folder, args) {
  return new Promise((done) => {
    const child = spawn(process.execPath, args, { cwd: folder, stdio: 'ignore' });
    const timer = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
    child.once('exit', (code) => {
      clearTimeout(timer);
      done(code ?? -1);
    });
  });
}

/** Runs one spec, or the tests of it whose name holds a text; gives each test, and whether the file as a whole was sound. */
async function test(folder, spec, name, ...flags) {
  const output = join(folder, 'result.json');
  rmSync(output, { force: true });
  const filter = name === undefined ? [] : ['-t', name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')];
  await run(folder, [
    '--experimental-vm-modules',
    '--disable-warning=ExperimentalWarning',
    'node_modules/jest/bin/jest.js',
    ...(spec.startsWith('test/faults/') ? ['--config', 'jest.faults.config.js'] : []),
    spec,
    ...filter,
    '--json',
    `--outputFile=${output}`,
    '--silent',
    ...flags,
  ]);
  try {
    const { testResults, numRuntimeErrorTestSuites } = JSON.parse(readFileSync(output, 'utf8'));
    const tests = testResults.flatMap(({ assertionResults }) => assertionResults);
    return { tests, isBroken: numRuntimeErrorTestSuites > 0 };
  } catch {
    return { tests: [], isBroken: true };
  }
}

const having = (tests, wanted) => tests.filter(({ status }) => status === wanted);
const count = (tests, wanted) => having(tests, wanted).length;

/** One run of each spec without an edit serves all edits that name it. */
const soundRuns = new Map();

const isSound = ({ tests, isBroken }) => count(tests, 'failed') === 0 && !isBroken;

/**
 * `npm test` holds that a spec passes; here it must have passed once, so that a failure with the edit says something. One that
 * a busy machine made fail runs once more, and its name is printed.
 */
async function soundRun(folder, spec) {
  await buildIfStale(folder);
  const first = await test(folder, spec);
  if (isSound(first)) return first;
  console.log(`note    ${spec} failed without an edit, and runs once more`);
  return await test(folder, spec);
}

/** What is wrong with the tests without the edit, or undefined. */
async function unsound(folder, { spec, name = '' }) {
  const running = soundRuns.get(spec) ?? soundRun(folder, spec);
  soundRuns.set(spec, running);
  const { tests, isBroken } = await running;
  const named = tests.filter(({ fullName }) => fullName.includes(name));
  const failed = having(named, 'failed');
  const passed = count(named, 'passed');
  if (passed > 0 && failed.length === 0 && !isBroken) return undefined;
  const why = failed.map(({ fullName, failureMessages }) => `\n${fullName}\n${failureMessages.join('\n')}`);
  return `without the edit: ${passed} passed, ${failed.length} failed${isBroken ? ', the file is broken' : ''}${why.join('')}`;
}

/** Copies whose dist was built with an edit. */
const staleCopies = new Set();

/** What `npm run build` does: the first step empties the folder of the second. */
async function build(folder) {
  staleCopies.delete(folder);
  const steps = [['node_modules/@nestjs/cli/bin/nest.js', 'build'], ['scripts/bundle-cli.mjs']];
  for (const step of steps) if ((await run(folder, step)) !== 0) return false;
  return true;
}

async function buildIfStale(folder) {
  if (staleCopies.has(folder)) await build(folder);
}

/**
 * Runs the test with the edit made; gives undefined where it turned red. What a busy machine can hide, such as how much was read in one
 * go, is looked for twice.
 */
async function survives(folder, { spec, name, row, says }) {
  const flags = row === undefined ? ['--testTimeout=5000'] : [];
  for (let attempt = 1; ; attempt += 1) {
    const { tests, isBroken } = await test(folder, spec, name, ...flags);
    // A file that was sound and now fails as a whole has noticed too.
    if (isBroken || count(tests, 'failed') > 0) return undefined;
    if (attempt === 2) return `survived: ${count(tests, 'passed')} passed`;
    console.log(`note    "${says}" was not noticed, and is looked for once more`);
  }
}

/** Makes the edit, runs the test, takes the edit back. Gives what is wrong, or undefined. */
async function judge(folder, mutant) {
  const file = join(folder, mutant.file);
  const original = readFileSync(file, 'utf8');
  const at = original.indexOf(mutant.from);
  if (at < 0) return `${mutant.file} no longer holds: ${mutant.from}`;
  if (original.indexOf(mutant.from, at + 1) >= 0)
    return `${mutant.file} holds more than once: ${mutant.from}`;
  const trouble = await unsound(folder, mutant);
  if (trouble !== undefined) return trouble;
  if (!mutant.builds) await buildIfStale(folder);
  writeFileSync(
    file,
    original.replace(mutant.from, () => mutant.to),
  );
  try {
    if (mutant.builds && !(await build(folder))) return 'the edit does not build';
    return await survives(folder, mutant);
  } finally {
    writeFileSync(file, original);
    if (mutant.builds) staleCopies.add(folder);
  }
}

/** Each sentence of docs/promises.md needs an edit that takes it out, and each edit's sentence must be there. */
function uncovered() {
  const page = readFileSync('docs/promises.md', 'utf8');
  const promises = [...page.matchAll(/^- (.*)$/gm)].map(([, sentence]) => sentence);
  const kept = mutants.flatMap(({ keeps }) => keeps ?? []);
  return [
    ...promises
      .filter((promise) => !kept.includes(promise))
      .map((promise) => `no edit takes out: ${promise}`),
    ...kept.filter((sentence) => !promises.includes(sentence)).map((sentence) => `no promise: ${sentence}`),
  ];
}

/** Each figure of a server on the page of options needs an edit that takes it out. */
function unlimited() {
  const page = readFileSync('docs/options.md', 'utf8');
  const options = [...page.matchAll(/^\| `(\w+)` \| (?:server|both) \|[^|]*\| (?:bytes|ms|count) \|/gm)];
  return options
    .map(([, option]) => option)
    .filter((option) => !mutants.some(({ says }) => new RegExp(`^limit: ${option}\\b`).test(says)))
    .map((option) => `no edit takes out the limit: ${option}`);
}

const { values, positionals: words } = parseArgs({
  allowPositionals: true,
  options: { part: { type: 'string', default: '1/1' } },
});
const [part, parts] = values.part.split('/').map(Number);
const chosen = mutants
  .filter(
    ({ says, file, spec }) =>
      words.length === 0 || words.some((word) => `${says} ${file} ${spec}`.includes(word)),
  )
  .filter((_, index) => index % parts === part - 1);
/** What each edit that nobody noticed says. */
const survivors = [];

async function work(folder, queue) {
  for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
    const trouble = await judge(folder, mutant);
    if (trouble !== undefined) survivors.push(mutant.says);
    const { row = `${mutant.spec}: ${mutant.name ?? 'any test'}` } = mutant;
    const lines = [mutant.says, trouble ?? `turned red: ${row}`];
    console.log(`${trouble === undefined ? 'ok     ' : 'not ok '} ${lines.join('\n        ')}`);
  }
}

const isRow = ({ row }) => row !== undefined;
const copies = Array.from({ length: Math.min(2, availableParallelism()) }, makeCopy);
try {
  const others = chosen.filter((mutant) => !isRow(mutant));
  await Promise.all(copies.map((folder) => work(folder, others)));
  // Rows of the table of faults measure what another test beside them would blur: alone, and first of all without edits,
  // since each edit of theirs is built.
  const rows = chosen.filter(isRow);
  for (const mutant of rows) await unsound(copies[0], mutant);
  await work(copies[0], rows);
} finally {
  for (const folder of copies) rmSync(folder, { recursive: true, force: true });
}
const gaps = [...uncovered(), ...unlimited()];
for (const gap of gaps) console.log(`not ok  ${gap}`);
for (const says of survivors) console.log(`not noticed: ${says}`);
console.log(
  `${chosen.length - survivors.length} of ${chosen.length} edits were noticed by the test that is named for them`,
);
process.exitCode = survivors.length > 0 || gaps.length > 0 || chosen.length === 0 ? 1 : 0;
