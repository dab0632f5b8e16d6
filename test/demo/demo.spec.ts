import { beforeEach, describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { MessagePattern } from '@nestjs/microservices';
import { existsSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { runDemo } from '../../src/demo/demo.js';
import { reasonOf } from '../../src/demo/echo-run.js';
import { EchoController } from '../../src/echo/echo.controller.js';
import { UdsError } from '../../src/index.js';
import { afterThisTest } from '../support/cleanup.js';
import { serve, socketPath } from '../support/nest.js';
import { tempFolder } from '../support/temp.js';
import { Gate } from '../support/wait.js';
import { WrongEcho } from '../support/wrong-echo.js';

@Controller()
class Silent {
  static readonly asked = new Gate();

  @MessagePattern('echo')
  echo(): Promise<never> {
    Silent.asked.open();
    return new Promise(() => undefined);
  }
}

describe('the demo', () => {
  const never = new AbortController().signal;
  let lines: string[];
  const print = (line: string): void => void lines.push(line);
  const text = (): string => lines.join('\n');

  beforeEach(() => {
    lines = [];
  });

  /** The folder that the demo made for its sidecar. */
  const folder = (): string => /, on (.*)\/echo\.sock$/m.exec(text())?.[1] ?? 'none';

  /** A program in place of the sidecar; its folder is not the demo's. */
  function program(code: string): string {
    const file = join(tempFolder({ mayLeave: /^sidecar\.mjs$/ }), 'sidecar.mjs');
    writeFileSync(file, code);
    return file;
  }

  it('echoes by a sidecar of its own, shows it, and stops everything', async () => {
    const code = await runDemo({ sidecarEntry: resolve('dist/main.js'), stop: never, print });
    expect(text()).toMatch(
      new RegExp(
        [
          '^\n  Sidecar   process (\\d+), on .*/echo\\.sock',
          '  Client    process \\d+, a Nest application that injects EchoClient',
          '\n  Sent      This is the message, This will be echoed back',
          '  Echoed    This is the message, This will be echoed back   \\(.+ (ms|us)\\)',
          '\n  Sent      10,000 more, 64 in flight',
          '  Echoed    10,000, [\\d,]+ a second',
          '  Times     p50 .+ (ms|us), p99 .+ (ms|us)',
          '\n  All came back as they were sent, and what was started is stopped\\.\n$',
        ].join('\n'),
      ),
    );
    expect(code).toBe(0);
    const pid = Number(/process (\d+), on/.exec(text())?.[1]);
    expect(() => process.kill(pid, 0)).toThrow(/ESRCH/);
    expect(existsSync(folder())).toBe(false);
  }, 60_000);

  it('echoes by a server that is there already, and leaves it be', async () => {
    const { path } = await serve([EchoController]);
    expect(await runDemo({ path, stop: never, print })).toBe(0);
    expect(text()).toContain(`  Server    the one on ${path}\n`);
    expect(existsSync(path)).toBe(true);
  }, 60_000);

  it('fails where an echo is wrong', async () => {
    const { path } = await serve([WrongEcho]);
    expect(await runDemo({ path, stop: never, print })).toBe(1);
    expect(lines.at(-1)).toBe(
      '\n  The demo failed. "This is the message, This will be echoed back (5000)" came back as "THIS IS THE MESSAGE, THIS WILL BE ECHOED BACK (5000)".\n',
    );
  }, 60_000);

  it('fails where an echo is missing', async () => {
    WrongEcho.isSilent = true;
    afterThisTest(() => (WrongEcho.isSilent = false));
    const { path } = await serve([WrongEcho]);
    expect(await runDemo({ path, stop: never, print })).toBe(1);
    expect(lines.at(-1)).toBe(
      '\n  The demo failed. "This is the message, This will be echoed back (5000)" has no echo. Internal server error\n',
    );
  }, 60_000);

  it('fails where there is no server', async () => {
    const path = socketPath();
    expect(await runDemo({ path, stop: never, print })).toBe(1);
    expect(lines.at(-1)).toContain(`The demo failed. SERVER_NOT_FOUND: Can not connect to ${path}`);
  });

  it('fails with what the sidecar said where it does not start', async () => {
    const sidecarEntry = program('console.error("no luck"); process.exit(3);');
    expect(await runDemo({ sidecarEntry, stop: never, print })).toBe(1);
    expect(lines.at(-1)).toBe('\n  The demo failed. The sidecar has ended, with code 3.\nno luck\n');
    expect(existsSync(folder())).toBe(false);
  });

  it('fails where the sidecar does not shut down in order', async () => {
    const code = `
      await import(${JSON.stringify(resolve('dist/main.js'))});
      process.removeAllListeners('SIGTERM').on('SIGTERM', () => process.exit(4));`;
    expect(await runDemo({ sidecarEntry: program(code), stop: never, print })).toBe(1);
    expect(lines.at(-1)).toBe('\n  The demo failed. The sidecar has ended, with code 4.\n');
  }, 60_000);

  it('takes no variable and no .env file that is meant for another sidecar', async () => {
    process.env['UDS_MODE'] = 'wrong';
    process.env['LOG_LEVEL'] = 'wrong';
    afterThisTest(() => {
      delete process.env['UDS_MODE'];
      delete process.env['LOG_LEVEL'];
    });
    const code =
      'console.error(process.env.UDS_MODE, process.env.LOG_LEVEL, process.cwd()); process.exit(5);';
    await runDemo({ sidecarEntry: program(code), stop: never, print });
    expect(lines.at(-1)).toContain(`undefined warn ${folder()}`);
  });

  it('stops the sidecar and tidies up when it is stopped itself', async () => {
    const stop = new AbortController();
    const running = runDemo({
      sidecarEntry: program('setInterval(() => undefined, 1000);'),
      stop: stop.signal,
      print,
    });
    stop.abort(new Error('SIGINT stopped it.'));
    expect(await running).toBe(1);
    expect(lines.at(-1)).toBe('\n  The demo failed. SIGINT stopped it.\n');
    expect(existsSync(folder())).toBe(false);
  });

  it('ends while it waits for an echo when it is stopped', async () => {
    const { path } = await serve([Silent]);
    const stop = new AbortController();
    const running = runDemo({ path, stop: stop.signal, print });
    await Silent.asked.within('the echo was asked for');
    stop.abort(new Error('SIGTERM stopped it.'));
    expect(await running).toBe(1);
    expect(lines.at(-1)).toBe('\n  The demo failed. SIGTERM stopped it.\n');
  });
});

describe('the reason that the demo gives', () => {
  it.each([
    ['an error with a code', new UdsError('CONNECTION_LOST', 'It broke.'), 'CONNECTION_LOST: It broke.'],
    ['an error without one', new Error('It broke.'), 'It broke.'],
    ["a handler's object", { status: 'no stock' }, '{"status":"no stock"}'],
    ["a handler's text", 'no stock', 'no stock'],
  ])('is short for %s', (_kind, error, reason) => {
    expect(reasonOf(error)).toBe(reason);
  });
});
