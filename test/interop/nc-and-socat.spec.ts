import { beforeEach, describe, expect } from '@jest/globals';
import { Buffer } from 'node:buffer';
import { join } from 'node:path';
import type { Socket } from 'node:net';
import { serve, type Served } from '../support/nest.js';
import { leaveStaleSocket } from '../support/stale.js';
import { tempFolder } from '../support/temp.js';
import { until } from '../support/wait.js';
import { type Seen, seenAnew, Shop } from './nest-app.js';
import { itWith, Program } from './programs.js';

interface Tool {
  readonly name: 'nc' | 'socat';
  /** Says the end of its output when its input has ended, and waits for the server's. */
  readonly halfClosing: (path: string) => string[];
  /** Says nothing of its input's end. */
  readonly keepingOpen: (path: string) => string[];
  /** What it says where the system does not connect it, with exit code 1. */
  readonly refused: RegExp;
}

const TOOLS: Tool[] = [
  {
    name: 'nc',
    halfClosing: (path) => ['-N', '-U', path],
    keepingOpen: (path) => ['-U', path],
    refused: /Connection refused/,
  },
  {
    // -t: how many seconds it waits for the server when its input has ended; half of one without it
    name: 'socat',
    halfClosing: (path) => ['-t', '40', '-', `UNIX-CONNECT:${path}`],
    keepingOpen: (path) => ['-t', '0.1', '-', `UNIX-CONNECT:${path},shut-none`],
    refused: /Connection refused/,
  },
];

/** What a person types. */
const ASKS = [
  '{"id":1,"pattern":"echo","data":"hello"}',
  '{"id":"two","pattern":{"cmd":"sum"},"data":[1,2,3]}',
  '{"pattern":"noted","data":"é€😀"}',
  '',
  '{"id":3,"pattern":"missing"}',
];
const lines = (...all: readonly string[]): string => all.map((line) => `${line}\n`).join('');
const ECHOED = '{"id":1,"response":"hello"}\n';

let seen: Seen;
let path: string;
let rawPath: string;

beforeEach(() => {
  seen = seenAnew();
  const folder = tempFolder();
  path = join(folder, 'app.sock');
  rawPath = join(folder, 'raw.sock');
});

/** The application for lines, and its echo for plain bytes; counts the ends of input that came. */
async function served(rawPattern = 'echo'): Promise<Served & { ends: () => number }> {
  const all = await serve([Shop], {
    endpoints: [{ path }, { path: rawPath, dialects: ['raw'], pattern: rawPattern }],
  });
  let ends = 0;
  all.server.on('connection', (socket: Socket) => socket.on('end', () => (ends += 1)));
  return { ...all, ends: () => ends };
}

const bytes = Buffer.from(Array.from({ length: 256 }, (_, index) => index));

describe.each(TOOLS)('$name', ({ name, halfClosing, keepingOpen, refused }) => {
  const itTool = itWith(name);

  /** Runs it with all of its input at once; gives its exit code and what it wrote. */
  async function run(args: readonly string[], input: string | Uint8Array): Promise<[unknown, string]> {
    const program = new Program(name, args).write(input).endInput();
    return [await program.exit(), program.stderr + program.text];
  }

  itTool('asks in a line and prints the answer, as one line of a shell', async () => {
    await served();
    const command = `echo '{"id":1,"pattern":"echo","data":"hello"}' | ${[name, ...halfClosing(path)].join(' ')}`;
    const shell = new Program('sh', ['-c', command]);
    expect([await shell.exit(), shell.stderr, shell.text]).toEqual([0, '', ECHOED]);
  });

  itTool('has every line answered that came before the end of its input, and exits with 0', async () => {
    const { log, ends } = await served();
    const [exit, text] = await run(halfClosing(path), lines(...ASKS));
    expect(exit).toBe(0);
    const answers = text.trimEnd().split('\n').sort();
    expect(answers).toEqual([
      '{"id":"two","response":6}',
      '{"id":1,"response":"hello"}',
      expect.stringMatching(/^\{"id":3,"error":\{"code":"NO_HANDLER","message":".*"\},"transport":true\}$/),
    ]);
    expect(seen.events).toEqual(['é€😀']);
    expect(ends()).toBe(1);
    expect(log.troubles).toEqual([expect.stringMatching(/^NO_HANDLER: /)]);
  });

  itTool('has a last line answered that has no end', async () => {
    await served();
    expect(await run(halfClosing(path), '{"id":1,"pattern":"echo","data":"hello"}')).toEqual([0, ECHOED]);
  });

  itTool('has an answer that ends long after its input did', async () => {
    const { ends } = await served();
    const program = new Program(name, halfClosing(path));
    program.write(lines('{"id":1,"pattern":"held","data":"late"}')).endInput();
    await until(() => ends() === 1 && seen.held === 1, 'the end of its input has come while the call runs');
    seen.gate.open();
    expect([await program.exit(), program.text]).toEqual([0, '{"id":1,"response":"late"}\n']);
  });

  itTool('reads a stream to its end', async () => {
    await served();
    const [exit, text] = await run(halfClosing(path), lines('{"id":4,"pattern":"generator","data":3}'));
    expect(exit).toBe(0);
    expect(text).toBe(
      lines('{"id":4,"next":0}', '{"id":4,"next":1}', '{"id":4,"next":2}', '{"id":4,"complete":true}'),
    );
  });

  itTool('is told in a line why the server ends the connection', async () => {
    const { log } = await served();
    const [exit, text] = await run(halfClosing(path), lines(ASKS[0]!, 'hello?'));
    expect(exit).toBe(0);
    expect(text).toMatch(/"error":\{"code":"BAD_FRAME","message":".*"\},"transport":true\}\n$/);
    await until(() => log.troubles.length > 0, 'it was logged');
    expect(log.troubles).toEqual([expect.stringMatching(/^BAD_FRAME: /)]);
  });

  itTool('talks a line at a time while its input stays open, until it is killed', async () => {
    const { log, app } = await served();
    const program = new Program(name, keepingOpen(path));
    await program.write(lines(ASKS[0]!)).says(ECHOED);
    await program.write(lines(ASKS[1]!)).says(`${ECHOED}{"id":"two","response":6}\n`);
    expect(program.text).toBe(`${ECHOED}{"id":"two","response":6}\n`);
    // socat ends in good order on SIGTERM, and tells its shell that it came.
    program.kill('SIGTERM');
    expect(await program.exit()).toBe(name === 'nc' ? 'SIGTERM' : 143);
    expect(await run(halfClosing(path), lines(ASKS[0]!))).toEqual([0, ECHOED]);
    await app.close();
    expect(log.troubles).toEqual([]);
  });

  itTool('has raw bytes back, each of the 256, and exits with 0', async () => {
    await served();
    const program = new Program(name, halfClosing(rawPath)).write(bytes).endInput();
    expect([await program.exit(), program.stderr]).toEqual([0, '']);
    expect(program.output.equals(bytes)).toBe(true);
  });

  itTool('has 3 MB of raw bytes back', async () => {
    await served();
    const much = Buffer.alloc(3_000_000, bytes);
    const program = new Program(name, halfClosing(rawPath)).write(much).endInput();
    expect([await program.exit(), program.stderr, program.output.length]).toEqual([0, '', much.length]);
    expect(program.output.equals(much)).toBe(true);
  });

  itTool('has the raw answer that ends long after its input did', async () => {
    const { ends } = await served('held');
    const program = new Program(name, halfClosing(rawPath)).write('late').endInput();
    await until(() => ends() === 1 && seen.held === 1, 'the end of its input has come while the call runs');
    seen.gate.open();
    expect([await program.exit(), program.text]).toEqual([0, 'late']);
  });

  itTool('has raw bytes back while its input stays open', async () => {
    const { ends } = await served();
    const program = new Program(name, keepingOpen(rawPath));
    await program.write('one').says('one');
    await program.write('two').says('onetwo');
    expect([program.text, ends()]).toEqual(['onetwo', 0]);
  });

  itTool('is left without a word where a raw handler fails', async () => {
    const { log } = await served('rpc-error');
    expect(await run(halfClosing(rawPath), 'bytes')).toEqual([0, '']);
    await until(() => log.troubles.length > 0, 'it was logged');
    expect(log.troubles).toEqual([expect.stringMatching(/^HANDLER_FAILED: /)]);
  });

  itTool('exits with 1 and the reason where nobody listens', async () => {
    const folder = tempFolder({ mayLeave: /^left\.sock$/ });
    const [missing, told] = await run(halfClosing(join(folder, 'none.sock')), '');
    expect([missing, told]).toEqual([1, expect.stringMatching(/No such file or directory/)]);
    const left = join(folder, 'left.sock');
    await leaveStaleSocket(left);
    expect(await run(halfClosing(left), '')).toEqual([1, expect.stringMatching(refused)]);
  });
});

describe('the end of the input alone, which the server is not told of,', () => {
  itWith('nc')('leaves nc waiting for answers until the server closes', async () => {
    const { app, ends } = await served();
    const program = new Program('nc', ['-U', path])
      .write(lines('{"id":1,"pattern":"held","data":1}'))
      .endInput();
    await until(() => seen.held === 1, 'the call runs');
    seen.gate.open();
    await program.says('{"id":1,"response":1}\n');
    expect([program.isAlive, ends()]).toEqual([true, 0]);
    await app.close();
    expect([await program.exit(), program.text]).toEqual([0, '{"id":1,"response":1}\n']);
  });

  itWith('socat')('lets socat leave by itself after the time that -t gives', async () => {
    const { log } = await served();
    const program = new Program('socat', ['-t', '0.1', '-', `UNIX-CONNECT:${path},shut-none`]);
    await program.write(lines(ASKS[0]!)).says(ECHOED);
    expect([await program.endInput().exit(), program.text]).toEqual([0, ECHOED]);
    expect(log.troubles).toEqual([]);
  });
});
