import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { Ctx, MessagePattern } from '@nestjs/microservices';
import { Buffer } from 'node:buffer';
import { of } from 'rxjs';
import { UdsContext, type UdsDialect } from '../../src/index.js';
import type { Child } from '../support/child.js';
import { serve, socketPath } from '../support/nest.js';
import { Gate, turns, until } from '../support/wait.js';
import { linesOf, outcomeOf, runCli, startCli } from './cli.js';

// Several processes a test, on a machine that may be busy.
jest.setTimeout(90_000);

const KIB = 1024;
const MIB = KIB ** 2;
/** Characters of the items of the endless streams. */
const [LONG, SHORT] = [16 * KIB, 32];

let gate = new Gate();
let pulledBytes = 0;
let finallyRan = 0;
let signals: AbortSignal[] = [];

beforeEach(() => {
  gate = new Gate();
  [pulledBytes, finallyRan] = [0, 0];
  signals = [];
});

/** A number in a text of so many characters. */
const item = (index: number, length: number): string => `${index},`.padEnd(length, '.');

@Controller()
class Streams {
  @MessagePattern('gated')
  async *gated(): AsyncGenerator {
    yield 'first';
    await gate.opened;
    yield { second: 2 };
  }

  @MessagePattern('mixed')
  mixed(): unknown {
    return of(1, null, 'text', Buffer.from('bytes'), undefined, { a: [] });
  }

  @MessagePattern('none')
  async *none(): AsyncGenerator {}

  @MessagePattern('long items')
  longItems(@Ctx() { signal }: UdsContext): AsyncGenerator<string> {
    signals.push(signal);
    return this.#endless(LONG);
  }

  @MessagePattern('short items')
  shortItems(@Ctx() { signal }: UdsContext): AsyncGenerator<string> {
    signals.push(signal);
    return this.#endless(SHORT);
  }

  @MessagePattern('waits')
  waits(@Ctx() { signal }: UdsContext): Promise<never> {
    signals.push(signal);
    return new Promise(() => undefined);
  }

  async *#endless(length: number): AsyncGenerator<string> {
    try {
      for (let index = 0; ; index += 1) {
        // A loop that never waits would let nothing else run.
        if (index % 512 === 0) await new Promise(setImmediate);
        pulledBytes += length;
        yield item(index, length);
      }
    } finally {
      finallyRan += 1;
    }
  }
}

/** The bytes that a generator has given when it gives no more. */
async function settled(): Promise<number> {
  let seen = -1;
  // Starting a program takes longer than this many looks: before its first value there is nothing to be settled.
  for (let looks = 0; looks < 40; looks = pulledBytes === seen && seen > 0 ? looks + 1 : 0) {
    seen = pulledBytes;
    // A server that nobody holds back gives this much in no time: there is no use in waiting.
    if (seen > 64 * MIB) return seen;
    await turns(5);
  }
  return seen;
}

/** How much of what the generator gave has been read: a line of JSON has two quotes and an end too. */
const bytesOfItems = (child: Child, dialect: CliDialect, length: number): number =>
  dialect === 'raw' ? child.output.length : (child.output.length / (length + 3)) * length;

/** Every whole item of the output follows the one before. */
function expectInOrder(child: Child, dialect: CliDialect, length: number): void {
  const text = child.output.toString('latin1');
  const items = dialect === 'raw' ? (text.match(new RegExp(`.{${length}}`, 'g')) ?? []) : text.split('\n');
  if (dialect !== 'raw') items.pop(); // what was cut
  expect(items.length).toBeGreaterThan(10);
  expect(items.every((each, index) => each.replaceAll('"', '') === item(index, length))).toBe(true);
}

function isAlive(child: Child): boolean {
  try {
    return process.kill(child.pid, 0);
  } catch {
    return false;
  }
}

type CliDialect = 'binary' | 'ndjson' | 'raw';
const DIALECTS: readonly CliDialect[] = ['binary', 'ndjson', 'raw'];

/** Starts a call of a pattern, which in raw is the one of its endpoint. */
async function startSend(dialect: CliDialect, pattern: string): Promise<Child> {
  const dialects: UdsDialect[] = [dialect];
  const endpoint = { path: socketPath(), dialects, ...(dialect === 'raw' && { pattern }) };
  const { path } = await serve([Streams], { endpoints: [endpoint], maxBufferedBytes: 64 * KIB });
  return startCli('send', path, '--dialect', dialect, ...(dialect === 'raw' ? ['go'] : [pattern]));
}

describe.each(DIALECTS)('nest-uds send --dialect %s', (dialect) => {
  it('prints a value of a stream when it comes, and not when the stream ends', async () => {
    const child = await startSend(dialect, 'gated');
    await child.says(dialect === 'raw' ? /^first$/ : /^"first"\n$/);
    expect(gate.isOpen).toBe(false);
    gate.open();
    const { code, stdout, stderr } = await outcomeOf(child);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toBe(dialect === 'raw' ? 'first{"second":2}' : '"first"\n{"second":2}\n');
  });

  it('prints nothing of a stream that is empty', async () => {
    const child = await startSend(dialect, 'none');
    const { stdout, stderr } = await outcomeOf(child);
    expect({ stdout, stderr: dialect === 'raw' ? '' : stderr }).toEqual({ stdout: '', stderr: '' });
  });

  it.each(['long items', 'short items'])(
    'holds a server back that streams %s while nobody reads the output, and goes on in order',
    async (pattern) => {
      const child = await startSend(dialect, pattern);
      child.pauseStdout();
      const most = await settled();
      // Pipes and sockets on the way, what the server may keep unwritten (maxBufferedBytes), and what a credit covers.
      expect(most).toBeLessThan(8 * MIB);
      while (child.output.length <= most) await child.readOnce();
      await until(() => pulledBytes > most, 'the server goes on');
      expectInOrder(child, dialect, pattern === 'long items' ? LONG : SHORT);
    },
  );

  it('piles up nothing for a reader that is slower than the server, however much it reads', async () => {
    const child = await startSend(dialect, 'short items');
    child.pauseStdout();
    await settled();
    const readSlowly = async (pieces: number): Promise<number> => {
      for (let piece = 0; piece < pieces; piece += 1) {
        await child.readOnce();
        // The pace of the reader: what this test is about, and not a wait for something.
        await turns(15);
      }
      return pulledBytes - bytesOfItems(child, dialect, SHORT);
    };
    const before = await readSlowly(50);
    const after = await readSlowly(250);
    expect(after - before).toBeLessThan(MIB / 2);
    expectInOrder(child, dialect, SHORT);
  });

  it('cancels the call at Ctrl-C and exits with 130', async () => {
    const child = await startSend(dialect, 'long items');
    await child.says(/\b3,\./);
    child.signal('SIGINT');
    const { code, stderr } = await outcomeOf(child);
    expect({ code, stderr }).toEqual({ code: 130, stderr: '' });
    await until(() => finallyRan === 1 && signals[0]!.aborted, 'the handler was told');
  });

  it('exits with 130 at Ctrl-C also while nobody reads its output', async () => {
    const child = await startSend(dialect, 'long items');
    child.pauseStdout();
    await settled();
    child.signal('SIGINT');
    await until(() => !isAlive(child), 'it ended');
    child.resumeStdout();
    expect(await child.exit()).toBe(130);
    await until(() => finallyRan === 1, 'the handler was told');
  });
});

describe.each(['binary', 'ndjson'])('nest-uds send --dialect %s', (dialect) => {
  it('prints each value on a line, and bytes as they are', async () => {
    const { path } = await serve([Streams]);
    const outcome = await runCli('send', path, 'mixed', '--dialect', dialect);
    // JSON has no undefined: the text dialect has made it null.
    const blank = dialect === 'ndjson' ? 'null\n' : '';
    expect(outcome).toEqual({ code: 0, stdout: `1\nnull\n"text"\nbytes${blank}{"a":[]}\n`, stderr: '' });
  });

  it('cancels a call at Ctrl-C that has no answer yet', async () => {
    const { path } = await serve([Streams]);
    const child = startCli('send', path, 'waits', '--dialect', dialect);
    await until(() => signals.length === 1, 'the handler runs');
    child.signal('SIGINT');
    expect(await outcomeOf(child)).toEqual({ code: 130, stdout: '', stderr: '' });
    await until(() => signals[0]!.aborted, 'the handler was told');
  });
});

describe('nest-uds send', () => {
  it('prints a hundred thousand short values in order, and loses none', async () => {
    @Controller()
    class Count {
      @MessagePattern('count')
      async *count(): AsyncGenerator<number> {
        for (let index = 0; index < 100_000; index += 1) yield index;
      }
    }
    const { path } = await serve([Count]);
    const { code, stdout } = await runCli('send', path, 'count');
    expect(code).toBe(0);
    const lines = linesOf(stdout);
    expect(lines).toHaveLength(100_000);
    expect(lines.every((line, index) => line === String(index))).toBe(true);
  });
});
