import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { Ctx, EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { Buffer } from 'node:buffer';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { UdsContext } from '../../src/index.js';
import { serve, socketPath } from '../support/nest.js';
import { tempFolder } from '../support/temp.js';
import { until } from '../support/wait.js';
import { outcomeOf, runCli, startCliWithInput, startSidecar } from './cli.js';

// Several processes a test, on a machine that may be busy.
jest.setTimeout(60_000);

interface Told {
  readonly data: unknown;
  readonly metadata: unknown;
}

let told: Told[] = [];

beforeEach(() => {
  told = [];
});

@Controller()
class Desk {
  @MessagePattern('echo')
  echo(@Payload() data: unknown): unknown {
    return data;
  }

  @MessagePattern('kind')
  kind(@Payload() data: unknown): string {
    return Buffer.isBuffer(data) ? `${data.length} bytes` : data === undefined ? 'nothing' : typeof data;
  }

  @MessagePattern('metadata')
  metadata(@Ctx() context: UdsContext): unknown {
    return context.getMetadata() ?? 'none';
  }

  @MessagePattern('silence')
  silence(): void {
    // There is nothing to be said.
  }

  @MessagePattern({ cmd: 'sum' })
  sum(@Payload() numbers: number[]): number {
    return numbers.reduce((sum, number) => sum + number, 0);
  }

  @EventPattern('told')
  // Nest's types take no narrower context here.
  told(@Payload() data: unknown, @Ctx() context: unknown): void {
    told.push({ data, metadata: (context as UdsContext).getMetadata() });
  }
}

/** Ten million bytes in which each place differs from its neighbours. */
const TEN_MB = Buffer.alloc(10_000_000, Buffer.from(Array.from({ length: 251 }, (_, index) => index)));

const VALUES: readonly unknown[] = [
  'text',
  'Zażółć 😀',
  '',
  0,
  -1.5,
  true,
  null,
  [1, [null]],
  { a: { b: [] } },
];

describe.each(['binary', 'ndjson'])('nest-uds send --dialect %s', (dialect) => {
  const send = (path: string, ...args: readonly string[]): ReturnType<typeof runCli> =>
    runCli('send', path, '--dialect', dialect, ...args);

  it('prints the answer to JSON as a line of JSON', async () => {
    const { path } = await serve([Desk]);
    for (const value of VALUES) {
      const outcome = await send(path, 'echo', JSON.stringify(value));
      expect(outcome).toEqual({ code: 0, stdout: `${JSON.stringify(value)}\n`, stderr: '' });
    }
  });

  it('sends no value where none is given, and prints none where none is answered', async () => {
    const { path } = await serve([Desk]);
    expect(await send(path, 'kind')).toEqual({ code: 0, stdout: '"nothing"\n', stderr: '' });
    expect(await send(path, 'silence', '1')).toEqual({ code: 0, stdout: '', stderr: '' });
  });

  it('takes a pattern that is an object as its JSON', async () => {
    const { path } = await serve([Desk]);
    expect(await send(path, '{"cmd":"sum"}', '[1,2,3]')).toEqual({ code: 0, stdout: '6\n', stderr: '' });
  });

  it('reads JSON from the standard input for -', async () => {
    const { path } = await serve([Desk]);
    const child = startCliWithInput('send', path, '--dialect', dialect, 'echo', '-');
    child.write('{"a":\n').write('["Zażółć"]}\n').endInput();
    expect(await outcomeOf(child)).toEqual({ code: 0, stdout: '{"a":["Zażółć"]}\n', stderr: '' });
  });

  it('sends the bytes of a file as bytes, and prints bytes that are answered as they are', async () => {
    const { path } = await serve([Desk]);
    const file = join(tempFolder({ mayLeave: /^bytes$/ }), 'bytes');
    writeFileSync(file, TEN_MB);
    expect(await send(path, 'kind', '--bytes', file)).toMatchObject({
      code: 0,
      stdout: '"10000000 bytes"\n',
    });
    const child = startCliWithInput('send', path, '--dialect', dialect, 'echo', '--bytes', file);
    expect(await child.exit()).toBe(0);
    expect(child.output.equals(TEN_MB)).toBe(true);
    expect(child.stderr).toBe('');
  });

  it('sends the bytes of the standard input for --bytes -, none too', async () => {
    const { path } = await serve([Desk]);
    const child = startCliWithInput('send', path, '--dialect', dialect, 'echo', '--bytes', '-');
    child.write(TEN_MB).endInput();
    expect(await child.exit()).toBe(0);
    expect(child.output.equals(TEN_MB)).toBe(true);
    const none = startCliWithInput('send', path, '--dialect', dialect, 'kind', '--bytes', '-').endInput();
    expect(await outcomeOf(none)).toEqual({ code: 0, stdout: '"0 bytes"\n', stderr: '' });
  });

  it('sends each --metadata beside the payload', async () => {
    const { path } = await serve([Desk]);
    const args = ['--metadata', 'trace=a1', '--metadata', 'empty=', '--metadata', 'sum=1+1=2'];
    const outcome = await send(path, 'metadata', '1', ...args);
    expect(outcome.code).toBe(0);
    expect(JSON.parse(outcome.stdout)).toEqual({ trace: 'a1', empty: '', sum: '1+1=2' });
    const proto = await send(path, 'metadata', '1', '--metadata', '__proto__=x');
    expect(proto).toMatchObject({ code: 0, stdout: '{"__proto__":"x"}\n' });
    expect(await send(path, 'metadata', '1')).toMatchObject({ stdout: '"none"\n' });
  });

  it('prints nothing for an --event, which has run or will', async () => {
    const { path } = await serve([Desk]);
    const outcome = await send(path, 'told', '{"line":1}', '--event', '--metadata', 'trace=a1');
    expect(outcome).toEqual({ code: 0, stdout: '', stderr: '' });
    await until(() => told.length === 1, 'the event was handled');
    expect(told).toEqual([{ data: { line: 1 }, metadata: { trace: 'a1' } }]);
    const file = join(tempFolder({ mayLeave: /^bytes$/ }), 'bytes');
    writeFileSync(file, TEN_MB);
    expect(await send(path, 'told', '--bytes', file, '--event')).toMatchObject({ code: 0, stderr: '' });
    await until(() => told.length === 2, 'the long event was handled');
    expect(TEN_MB.equals(told[1]!.data as Buffer)).toBe(true);
  });
});

describe('nest-uds send', () => {
  it('speaks binary where no dialect is named', async () => {
    const { path } = await serve([Desk], { endpoints: [{ path: socketPath(), dialects: ['binary'] }] });
    expect(await runCli('send', path, 'echo', '1')).toEqual({ code: 0, stdout: '1\n', stderr: '' });
  });

  it('takes a negative number for the payload, and not for an option', async () => {
    const { path } = await serve([Desk]);
    expect(await runCli('send', path, 'echo', '-1.5')).toEqual({ code: 0, stdout: '-1.5\n', stderr: '' });
  });

  it('gives the server nothing to warn of', async () => {
    const { path, log } = await serve([Desk]);
    await runCli('send', path, 'echo', '1');
    await runCli('send', path, 'echo', '1', '--dialect', 'ndjson');
    await runCli('send', path, 'told', '1', '--event');
    await runCli('send', path, 'told', '1', '--event', '--dialect', 'ndjson');
    expect(log.troubles).toEqual([]);
  });
});

describe('nest-uds send --dialect raw', () => {
  it('prints what comes back byte for byte: of an argument, a file, and the standard input', async () => {
    const { rawPath } = await startSidecar();
    const file = join(tempFolder({ mayLeave: /^bytes$/ }), 'bytes');
    writeFileSync(file, TEN_MB);
    const text = 'This is the message, This will be echoed back';
    expect(await runCli('send', '--dialect', 'raw', rawPath, text)).toEqual({
      code: 0,
      stdout: text,
      stderr: '',
    });
    const fromFile = startCliWithInput('send', '--dialect', 'raw', rawPath, '--bytes', file);
    expect(await fromFile.exit()).toBe(0);
    expect(fromFile.output.equals(TEN_MB)).toBe(true);
    for (const input of [['-'], ['--bytes', '-']]) {
      const fromInput = startCliWithInput('send', '--dialect', 'raw', rawPath, ...input);
      fromInput.write(TEN_MB).endInput();
      expect(await fromInput.exit()).toBe(0);
      expect(fromInput.output.equals(TEN_MB)).toBe(true);
    }
  });

  it('sends nothing and gets nothing where the input is empty', async () => {
    const { rawPath } = await startSidecar();
    const child = startCliWithInput('send', '--dialect', 'raw', rawPath, '-').endInput();
    expect(await outcomeOf(child)).toEqual({ code: 0, stdout: '', stderr: '' });
  });

  it('waits for answers that a handler takes its time for', async () => {
    const path = socketPath();
    let finish: ((text: string) => void) | undefined;
    @Controller()
    class Slow {
      @MessagePattern('slow')
      slow(): Promise<string> {
        return new Promise((resolve) => (finish = resolve));
      }
    }
    await serve([Slow], { endpoints: [{ path, dialects: ['raw'], pattern: 'slow' }] });
    const child = startCliWithInput('send', '--dialect', 'raw', path, 'x');
    await until(() => finish !== undefined, 'the handler runs');
    finish?.('at last');
    expect(await outcomeOf(child)).toEqual({ code: 0, stdout: 'at last', stderr: '' });
  });
});
