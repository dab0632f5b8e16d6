// Takes out one promise at a time and checks that the named test notices: `npm run test:mutants [-- WORD]` runs all, or
// those whose sentence or file holds WORD. The tree itself is not touched: edits are made in copies of it.
import { spawn } from 'node:child_process';
import { clearTimeout, setTimeout } from 'node:timers';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { mutants } from './mutants.list.mjs';

const COPIED = [
  'src',
  'test',
  'docs',
  'dist',
  'scripts',
  'package.json',
  'jest.config.js',
  'tsconfig.json',
  'tsconfig.build.json',
  'nest-cli.json',
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  '.env.example',
];
const LIMIT_MS = 120_000;

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

/** Runs one spec, or the tests of it whose name holds a text; gives how many passed and failed. */
async function test(folder, { spec, name }) {
  const output = join(folder, 'result.json');
  rmSync(output, { force: true });
  const filter = name === undefined ? [] : ['-t', name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')];
  await run(folder, [
    '--experimental-vm-modules',
    '--disable-warning=ExperimentalWarning',
    'node_modules/jest/bin/jest.js',
    spec,
    ...filter,
    '--json',
    `--outputFile=${output}`,
    '--silent',
    '--testTimeout=5000',
  ]);
  try {
    const { numPassedTests, numFailedTests, numRuntimeErrorTestSuites } = JSON.parse(
      readFileSync(output, 'utf8'),
    );
    return { passed: numPassedTests, failed: numFailedTests, broken: numRuntimeErrorTestSuites };
  } catch {
    return { passed: 0, failed: 0, broken: 1 };
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
  const sound = await test(folder, mutant);
  if (sound.passed === 0 || sound.failed > 0 || sound.broken > 0)
    return `without the edit: ${JSON.stringify(sound)}`;
  writeFileSync(
    file,
    original.replace(mutant.from, () => mutant.to),
  );
  try {
    if (mutant.builds && (await run(folder, ['node_modules/@nestjs/cli/bin/nest.js', 'build'])) !== 0)
      return 'the edit does not build';
    const mutated = await test(folder, mutant);
    return mutated.failed > 0 ? undefined : `survived: ${JSON.stringify(mutated)}`;
  } finally {
    writeFileSync(file, original);
    if (mutant.builds) await run(folder, ['node_modules/@nestjs/cli/bin/nest.js', 'build']);
  }
}

const word = process.argv[2];
const chosen = mutants.filter(
  (mutant) => word === undefined || `${mutant.says} ${mutant.file}`.includes(word),
);
const queue = [...chosen];
let survivors = 0;

async function work() {
  const folder = makeCopy();
  try {
    for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
      const trouble = await judge(folder, mutant);
      if (trouble !== undefined) survivors += 1;
      console.log(
        `${trouble === undefined ? 'ok     ' : 'not ok '} ${mutant.says}${trouble === undefined ? '' : `\n        ${trouble}`}`,
      );
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, work));
console.log(
  `${chosen.length - survivors} of ${chosen.length} edits were noticed by the test that is named for them`,
);
process.exitCode = survivors > 0 || chosen.length === 0 ? 1 : 0;
