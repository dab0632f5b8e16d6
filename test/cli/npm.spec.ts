import { describe, expect, it, jest } from '@jest/globals';
import { Child } from '../support/child.js';
import { outcomeOf, startSidecar } from './cli.js';

// Several processes a test, on a machine that may be busy.
jest.setTimeout(60_000);

/** As a person in a clone does, in a terminal: a signal goes to npm and to what it runs. */
const npmRunCli = (...args: readonly string[]): Child =>
  new Child('npm', ['run', '-s', 'cli', '--', ...args], { ownGroup: true });

describe('npm run -s cli', () => {
  it('prints what nest-uds prints and nothing else, and gives its exit code', async () => {
    const { path } = await startSidecar();
    const sent = await outcomeOf(npmRunCli('send', path, 'echo', '{"a": "b c"}'));
    expect(sent).toEqual({ code: 0, stdout: '{"a":"b c"}\n', stderr: '' });
    const failed = await outcomeOf(npmRunCli('send', path, 'none', '1'));
    expect(failed).toMatchObject({ code: 1, stdout: '' });
    expect(failed.stderr).toMatch(/^nest-uds: NO_HANDLER: [^\n]+\n$/);
    const wrong = await outcomeOf(npmRunCli('ping', path, '--count', 'x'));
    expect(wrong).toMatchObject({ code: 2, stdout: '' });
    expect(wrong.stderr).toMatch(/^nest-uds: [^\n]+\n$/);
  });

  it('lets Ctrl-C end a ping with its summary', async () => {
    const { path } = await startSidecar();
    const ping = npmRunCli('ping', path, '-i', '0.01');
    await ping.says(/seq=3 /);
    ping.signal('SIGINT', true);
    const { code, stdout, stderr } = await outcomeOf(ping);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^min\/avg\/p50\/p99\/max = .* ms\n$/m);
  });

  it('lets Ctrl-C cancel a call, with the exit code of an interrupted command', async () => {
    const { path } = await startSidecar();
    const send = npmRunCli('send', path, 'echo.stream', '10000000');
    await send.says(/^3$/m);
    send.signal('SIGINT', true);
    expect(await send.exit()).toBe(130);
  });
});
