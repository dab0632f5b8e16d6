import { describe, expect, it, jest } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { tempFolder } from '../support/temp.js';
import { expectOneLine, outcomeOf, runCli, startCliWithInput } from './cli.js';

// Several processes a test, on a machine that may be busy.
jest.setTimeout(60_000);

/** Nobody is there: a command line that is wrong is known as such before anybody is asked. */
const nowhere = (): string => join(tempFolder(), 'none');

describe('nest-uds', () => {
  it('prints its help, with every command and every exit code, for --help and help', async () => {
    for (const args of [['--help'], ['-h'], ['help']]) {
      const { code, stdout, stderr } = await runCli(...args);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      for (const command of ['ping', 'send', 'health'])
        expect(stdout).toMatch(new RegExp(`^  ${command} `, 'm'));
      expect(stdout).toMatch(
        /Exit codes: 0 .*; 1 .*; 2 .*; 130 Ctrl-C: .*send or health, .*ping has reached/,
      );
    }
  });

  it.each([
    ['ping', ['--count', '--interval', '--size', '--timeout-ms', '--json']],
    ['send', ['--bytes', '--event', '--metadata', '--timeout-ms', '--dialect']],
    ['health', ['--timeout-ms', '--json']],
  ])('prints the options of %s, and nothing that is no word', async (command, options) => {
    const { code, stdout } = await runCli(command, '--help');
    expect(code).toBe(0);
    for (const option of options) expect(stdout).toContain(option);
    expect(stdout).not.toMatch(/null|undefined|NaN|Infinity/);
  });

  it.each([
    ['ping', '2000 and 2000'],
    ['send', '2000 and 30000'],
    ['health', '2000 and 2000'],
  ])(
    'says in the help of %s how long it waits for a connection, and for an answer',
    async (command, limits) => {
      const { stdout } = await runCli(command, '--help');
      expect(stdout.replace(/\s+/g, ' ')).toContain(`(default: ${limits})`);
    },
  );

  it('prints its version', async () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    for (const option of ['--version', '-V'])
      expect(await runCli(option)).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
  });

  it('prints its help on the standard error output and exits with 2 where nothing is asked', async () => {
    const { code, stdout, stderr } = await runCli();
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^Usage: nest-uds /);
  });

  it.each([
    [['bogus'], /unknown command 'bogus'/],
    [['pong'], /unknown command 'pong' \(Did you mean ping\?\)/],
    [['--bogus'], /unknown option '--bogus'/],
    [['ping', 'x', '--cuont', '3'], /unknown option '--cuont' \(Did you mean --count\?\)/],
    [['ping'], /path/],
    [['send'], /path/],
    [['health'], /path/],
    [['ping', 'x', 'extra'], /too many arguments/],
    [['health', 'x', 'extra'], /too many arguments/],
    [['send', 'x', 'echo', '1', 'extra'], /too many arguments/],
    [['ping', 'x', '--count'], /--count .*missing/],
    [['a\n\u001b[2Jb'], /unknown command/],
  ])('says in one line what is wrong with %j, and where help is', async (args: readonly string[], reason) => {
    const outcome = await runCli(...args);
    expectOneLine(outcome, 2, reason);
    expect(outcome.stderr).toContain('--help');
    expect(outcome.stderr).not.toContain('\\u000a(');
  });
});

describe('a wrong value', () => {
  it.each([
    ...['0', '-1', '1.5', '1e3', 'x', '', ' 1', '0x10', '1000000001', '9'.repeat(400)].map((value) => [
      '--count',
      value,
    ]),
    ...['-1', '.', '1.', '1e3', 'x', '', 'NaN', 'Infinity', '86401', '1s'].map((value) => [
      '--interval',
      value,
    ]),
    ...['-1', '1.5', 'x', '', '1k', '268435457'].map((value) => ['--size', value]),
    ...['-1', '1.5', 'x', '', '2147483648'].map((value) => ['--timeout-ms', value]),
  ])(
    'of ping %s %j is told in one line with the option and what is allowed, and exit code 2',
    async (option, value) => {
      const outcome = await runCli('ping', nowhere(), option, value);
      expectOneLine(outcome, 2, new RegExp(`${option}.* It must be a (whole )?number .*from \\d+ to \\d+`));
    },
  );

  it.each([
    ['send', 'x', 'echo', '--timeout-ms', '-1'],
    ['health', 'x', '--timeout-ms', 'soon'],
    ['send', 'x', 'echo', '--dialect', 'nest-json'],
    ['send', 'x', 'echo', '--dialect', ''],
    ['send', 'x', 'echo', '--metadata', 'key'],
    ['send', 'x', 'echo', '--metadata', '=value'],
  ])('of %s %s … is told in one line with exit code 2', async (...args) => {
    expectOneLine(await runCli(...args), 2, new RegExp(`'${args.at(-2)} <.*is invalid`));
  });
});

describe('nest-uds send', () => {
  it.each([
    [['echo', '{no'], /no JSON: .*\{no.* quotes/],
    [['echo', 'hello'], /no JSON: .*hello.* quotes/],
    [['echo', ''], /no JSON/],
    [[], /pattern/],
    [['echo', '1', '--bytes', 'file'], /either a payload or --bytes/],
    [['x', '--dialect', 'raw', '--event'], /--event/],
    [['x', '--dialect', 'raw', '--metadata', 'a=b'], /--metadata/],
    [['echo', '--bytes', '.'], /EISDIR\. Correct its path/],
  ])('says in one line what is wrong with %j, and exits with 2', async (args: readonly string[], reason) => {
    expectOneLine(await runCli('send', nowhere(), ...args), 2, reason);
  });

  it('names the file that is missing', async () => {
    const file = nowhere();
    const outcome = await runCli('send', nowhere(), 'echo', '--bytes', file);
    expectOneLine(outcome, 2, /ENOENT\. Correct its path, or let this user read it\./);
    expect(outcome.stderr).toContain(file);
  });

  it.each(['', '{"half":', '1 2', '\u0000\u001b[2J'])(
    'says in one line that the standard input %j is no JSON',
    async (input) => {
      const child = startCliWithInput('send', nowhere(), 'echo', '-').write(input).endInput();
      const outcome = await outcomeOf(child);
      expectOneLine(outcome, 2, /no JSON/);
    },
  );
});
