import { describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Runs Jest, as `npm test` does, on files of fixtures/, which the normal run doesn't match. */
function runJest(...fixtures: string[]): Promise<{ code: number; output: string }> {
  const args = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];
  args.push('node_modules/jest/bin/jest.js', '--testMatch', '**/test/support/fixtures/*.ts');
  args.push('--runTestsByPath', ...fixtures.map((name) => `test/support/fixtures/${name}.ts`));
  return new Promise((resolve) => {
    const child = execFile(process.execPath, args, { cwd: root }, (_error, stdout, stderr) => {
      resolve({ code: child.exitCode ?? -1, output: stdout + stderr });
    });
  });
}

describe('the leak check', () => {
  it.each([
    ['leaves-server', /^ {2}Server on \{"address":"127.0.0.1"/m],
    ['leaves-socket', /^ {2}Socket/m],
    ['leaves-child', /^ {2}ChildProcess \d+: sleep 30$/m],
    ['leaves-timeout', /^ {2}1 Timeout$/m],
    ['leaves-interval', /^ {2}1 Timeout$/m],
    ['leaves-file', /^ {2}file .*left\.sock$/m],
  ])('fails a run of %s', async (fixture, message) => {
    const { code, output } = await runJest(fixture);
    expect(output).toMatch(/Left behind by this file/);
    expect(output.replaceAll('    ', '')).toMatch(message);
    expect(code).toBe(1);
  });

  it('passes a file that ends what it starts', async () => {
    const { code, output } = await runJest('leaves-nothing');
    expect(output).not.toMatch(/Left behind/);
    expect(code).toBe(0);
  });

  it('fails the guilty file alone where workers run several', async () => {
    const { code, output } = await runJest('leaves-timeout', 'leaves-nothing', 'leaves-file');
    expect(output).toMatch(/^Test Suites: 2 failed, 1 passed, 3 total$/m);
    expect(code).toBe(1);
  });
});
