import { describe, expect, it } from '@jest/globals';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { EchoController } from '../../src/echo/echo.controller.js';
import { Child, startNode } from '../support/child.js';
import { serve } from '../support/nest.js';
import { until } from '../support/wait.js';
import { WrongEcho } from '../support/wrong-echo.js';

const DEMO = resolve('dist/demo/main.js');
const FOLDER = /Sidecar {3}process (\d+), on (.*)\/echo\.sock/;

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

/** That nothing of a demo is left. */
async function expectNothingLeft(demo: Child): Promise<void> {
  const [, pid, folder] = FOLDER.exec(demo.stdout) ?? [];
  // One that was killed needs a moment.
  await until(() => !isAlive(Number(pid)), 'the sidecar was gone');
  expect(existsSync(folder!)).toBe(false);
}

describe('the demo as a process', () => {
  it('shows the echo, the count and the times, and exits with 0 through npm', async () => {
    const demo = new Child('npm', ['run', '-s', 'demo', '--ignore-scripts']);
    expect(await demo.exit()).toBe(0);
    expect(demo.stdout).toContain('Echoed    This is the message, This will be echoed back ');
    expect(demo.stdout).toMatch(/^ {2}Echoed {4}10,000, [\d,]+ a second$/m);
    expect(demo.stdout).toMatch(/^ {2}Times {5}p50 [\d.]+ [mu]s, p99 [\d.]+ [mu]s$/m);
    expect(demo.stderr).toBe('');
    await expectNothingLeft(demo);
  }, 60_000);

  it('echoes by the server on the path that it is given', async () => {
    const { path } = await serve([EchoController]);
    const demo = startNode([DEMO, path]);
    expect(await demo.exit()).toBe(0);
    expect(demo.stdout).toContain(`Server    the one on ${path}`);
  }, 60_000);

  it('exits with 1 and the reason where an echo is wrong', async () => {
    const { path } = await serve([WrongEcho]);
    const demo = startNode([DEMO, path]);
    expect(await demo.exit()).toBe(1);
    expect(demo.stdout).toMatch(/The demo failed\. ".*\(5000\)" came back as "THIS IS THE MESSAGE.*"\.$/m);
  }, 60_000);

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    'leaves nothing behind on %s',
    async (signal) => {
      const demo = startNode([DEMO]);
      await demo.says(FOLDER);
      demo.signal(signal);
      expect(await demo.exit()).toBe(1);
      expect(demo.stdout).toContain(`The demo failed. ${signal} stopped it.`);
      await expectNothingLeft(demo);
    },
    60_000,
  );

  it('leaves nothing behind where nobody reads its output to the end', async () => {
    const demo = startNode([DEMO]);
    await demo.says(FOLDER);
    demo.closeStdout();
    expect(await demo.exit()).toBe(1);
    expect(demo.stderr).toContain('EPIPE');
    await expectNothingLeft(demo);
  }, 60_000);

  it('leaves nothing behind on a Ctrl-C in the terminal, which reaches the sidecar too', async () => {
    const demo = startNode([DEMO], { ownGroup: true });
    await demo.says(/Client/);
    demo.signal('SIGINT', true);
    expect(await demo.exit()).toBe(1);
    await expectNothingLeft(demo);
  }, 60_000);
});
