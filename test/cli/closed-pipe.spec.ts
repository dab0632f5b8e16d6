import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { Buffer } from 'node:buffer';
import { serve } from '../support/nest.js';
import { until } from '../support/wait.js';
import { startCli } from './cli.js';

// Several processes a test, on a machine that may be busy.
jest.setTimeout(60_000);

let finallyRan = 0;

beforeEach(() => {
  finallyRan = 0;
});

@Controller()
class Endless {
  @MessagePattern('echo')
  echo(@Payload() payload: unknown): unknown {
    return payload;
  }

  @MessagePattern('bytes')
  bytes(): Buffer {
    return Buffer.alloc(10_000_000);
  }

  @MessagePattern('endless')
  async *endless(): AsyncGenerator<string> {
    try {
      for (let index = 0; ; index += 1) {
        await new Promise(setImmediate);
        yield `line ${index}`;
      }
    } finally {
      finallyRan += 1;
    }
  }
}

describe('nest-uds, when its reader has read enough', () => {
  it.each(['binary', 'ndjson'])(
    'ends a stream of %s in good order, and the server is told',
    async (dialect) => {
      const { path } = await serve([Endless]);
      const child = startCli('send', path, 'endless', '--dialect', dialect);
      await child.says(/"line 2"/);
      child.closeStdout();
      expect(await child.exit()).toBe(0);
      expect(child.stderr).toBe('');
      await until(() => finallyRan === 1, 'the handler was told');
    },
  );

  it('ends an answer of ten million bytes in good order', async () => {
    const { path } = await serve([Endless]);
    const child = startCli('send', path, 'bytes').pauseStdout();
    await child.readOnce();
    child.closeStdout();
    expect(await child.exit()).toBe(0);
    expect(child.stderr).toBe('');
  });

  it.each([[[]], [['--json']]])('ends ping %j in good order', async (more: readonly string[]) => {
    const { path } = await serve([Endless]);
    const child = startCli('ping', path, '-i', '0.001', ...more);
    await child.says(/\n/);
    child.closeStdout();
    expect(await child.exit()).toBe(0);
    expect(child.stderr).toBe('');
  });

  it.each([['--help'], ['send', '--help'], ['--version']])('ends %s %s in good order', async (...args) => {
    const child = startCli(...args);
    child.closeStdout();
    expect(await child.exit()).toBe(0);
    expect(child.stderr).toBe('');
  });

  it('keeps its exit code where nobody reads its complaint either', async () => {
    for (const [args, code] of [
      [['ping', '--bogus'], 2],
      [['ping', 'missing'], 1],
    ] as const) {
      const child = startCli(...args);
      child.closeStderr();
      expect(await child.exit()).toBe(code);
    }
  });
});
