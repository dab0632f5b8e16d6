import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { Ctx, MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import type { Socket } from 'node:net';
import { UdsContext, type UdsDialect } from '../../src/index.js';
import { serve, socketPath } from '../support/nest.js';
import { RawServer } from '../support/raw-server.js';
import { until } from '../support/wait.js';
import { CONTROL, expectOneLine, linesOf, runCli } from './cli.js';

// Several processes a test, on a machine that may be busy.
jest.setTimeout(60_000);

/** What drives a terminal, or begins a line that is not ours. */
const HOSTILE = 'a\nnest-uds: b\r\u001b[2J\u009b31m\u0007\u2028\u2029c\u007f';

let contexts: UdsContext[] = [];

beforeEach(() => {
  contexts = [];
});

@Controller()
class Faulty {
  @MessagePattern('fails')
  fails(@Payload() error: string | object): never {
    throw new RpcException(error);
  }

  @MessagePattern('breaks')
  breaks(): never {
    throw new Error('a secret of the server');
  }

  @MessagePattern('never')
  never(@Ctx() context: UdsContext): Promise<never> {
    contexts.push(context);
    return new Promise(() => undefined);
  }

  @MessagePattern('half')
  async *half(): AsyncGenerator<string> {
    yield 'one';
    yield 'two';
    throw new RpcException({ code: 'HALF', message: 'no more' });
  }

  @MessagePattern('hostile')
  hostile(): unknown {
    return { [HOSTILE]: HOSTILE };
  }
}

const TEXT_AND_BINARY = ['binary', 'ndjson'] as const;

describe.each(TEXT_AND_BINARY)('nest-uds send --dialect %s, in one line and with exit code 1', (dialect) => {
  const send = (path: string, ...args: readonly string[]): ReturnType<typeof runCli> =>
    runCli('send', path, '--dialect', dialect, ...args);

  it('says what a handler failed with', async () => {
    const { path } = await serve([Faulty]);
    expectOneLine(
      await send(path, 'fails', '{"code":"NO_STOCK","message":"none"}'),
      1,
      /handler failed: \{"code":"NO_STOCK","message":"none"\}\n$/,
    );
    expectOneLine(await send(path, 'fails', '"no stock"'), 1, /handler failed: .*"no stock"/);
    const broken = await send(path, 'breaks');
    expectOneLine(broken, 1, /handler failed: .*Internal server error/);
    expect(broken.stderr).not.toContain('secret');
  });

  it('says that nobody serves a pattern', async () => {
    const { path } = await serve([Faulty]);
    expectOneLine(await send(path, 'none', '1'), 1, /NO_HANDLER: .*"none"/);
  });

  it('says that the time is up, and the handler learns that nobody waits any more', async () => {
    const { path } = await serve([Faulty]);
    expectOneLine(await send(path, 'never', '1', '--timeout-ms', '200'), 1, /DEADLINE_EXCEEDED: /);
    await until(() => contexts.length === 1 && contexts[0]!.signal.aborted, 'the signal aborted');
  });

  it('says that the endpoint serves other dialects', async () => {
    const others: UdsDialect[] = [dialect === 'binary' ? 'ndjson' : 'binary', 'nest-json'];
    const { path } = await serve([Faulty], { endpoints: [{ path: socketPath(), dialects: others }] });
    for (const more of [[], ['--event']])
      expectOneLine(await send(path, 'never', '1', ...more), 1, new RegExp(`UNKNOWN_DIALECT: .*${dialect}`));
  });

  it('says that the server was lost under way', async () => {
    const { path, app } = await serve([Faulty]);
    const sending = send(path, 'never', '1');
    await until(() => contexts.length === 1, 'the handler runs');
    contexts[0]!.getSocketRef().destroy();
    expectOneLine(await sending, 1, /CONNECTION_LOST: /);
    await app.close();
  });

  it('says that a payload is too long for the server', async () => {
    const { path } = await serve([Faulty], { maxFrameBytes: 65_536 });
    const long = JSON.stringify('x'.repeat(80_000));
    for (const more of [[], ['--event']])
      expectOneLine(await send(path, 'never', long, ...more), 1, /(PAYLOAD|FRAME)_TOO_LARGE: /);
  });

  it('lets no error begin a line of its own or drive the terminal', async () => {
    const { path } = await serve([Faulty]);
    for (const error of [HOSTILE, { message: HOSTILE }, { code: HOSTILE, message: HOSTILE }, [HOSTILE]]) {
      const outcome = await send(path, 'fails', JSON.stringify(error));
      expectOneLine(outcome, 1, /^nest-uds: /);
    }
    const none = await send(path, HOSTILE, '1');
    expectOneLine(none, 1, /NO_HANDLER/);
  });

  it('lets no answer begin a line of its own or drive the terminal, and keeps it what it is', async () => {
    const { path } = await serve([Faulty]);
    const { code, stdout } = await send(path, 'hostile');
    expect(code).toBe(0);
    expect(stdout.slice(0, -1)).not.toMatch(CONTROL);
    expect(JSON.parse(stdout)).toEqual({ [HOSTILE]: HOSTILE });
  });

  it('says why a stream broke off, behind the values that had come', async () => {
    const { path } = await serve([Faulty]);
    const { code, stdout, stderr } = await send(path, 'half');
    expect(code).toBe(1);
    expect(linesOf(stdout)).toEqual(['"one"', '"two"']);
    expect(stderr).toMatch(/^nest-uds: The handler failed: \{"code":"HALF","message":"no more"\}\n$/);
  });
});

describe('nest-uds send --event --dialect ndjson, in one line and with exit code 1', () => {
  /** Answers the first chunk. */
  const answering = async (answer: (socket: Socket) => void): Promise<string> => {
    const accept = (socket: Socket): unknown => socket.once('data', () => answer(socket));
    return (await RawServer.listening(socketPath(), { accept })).path;
  };
  const send = (path: string): ReturnType<typeof runCli> =>
    runCli('send', path, 'told', '1', '--event', '--dialect', 'ndjson');

  it('says that the server could not read the event, also where it reads on', async () => {
    const error = { code: 'BAD_METADATA', message: 'too much' };
    const path = await answering((socket) =>
      socket.write(`${JSON.stringify({ error, transport: true })}\n{"id":1,"pong":true}\n`),
    );
    expectOneLine(await send(path), 1, /^nest-uds: BAD_METADATA: too much/);
  });

  it('says that the server has ended without a word', async () => {
    const path = await answering((socket) => socket.end());
    expectOneLine(await send(path), 1, /^nest-uds: CONNECTION_LOST: .*not said that it took the event/);
  });
});

describe('nest-uds send, where what a server of the transport says is hostile', () => {
  it('shows its error in one line', async () => {
    const error = { code: HOSTILE, message: HOSTILE };
    const { path } = await RawServer.listening(socketPath(), {
      accept: (socket) =>
        socket.on('data', () => socket.end(`${JSON.stringify({ id: 1, error, transport: true })}\n`)),
    });
    const outcome = await runCli('send', path, 'x', '1', '--dialect', 'ndjson');
    expectOneLine(outcome, 1, /UNKNOWN_REMOTE_ERROR/);
  });

  it.each(['response', 'next', 'error'])('says that its %s is nested too deep to be printed', async (key) => {
    const deep = '['.repeat(20_000) + ']'.repeat(20_000);
    const { path } = await RawServer.listening(socketPath(), {
      accept: (socket) => socket.on('data', () => socket.write(`{"id":1,"${key}":${deep}}\n`)),
    });
    const outcome = await runCli('send', path, 'x', '1', '--dialect', 'ndjson');
    expectOneLine(outcome, 1, /nested too deep to be printed/);
  });
});

describe('nest-uds send --dialect raw, in one line and with exit code 1', () => {
  const rawEndpoint = async (pattern: string): Promise<string> => {
    const path = socketPath();
    await serve([Faulty], { endpoints: [{ path, dialects: ['raw'], pattern }] });
    return path;
  };

  it('says that no answer came where the handler failed or nobody serves the pattern', async () => {
    for (const pattern of ['breaks', 'none']) {
      const path = await rawEndpoint(pattern);
      expectOneLine(await runCli('send', path, 'x', '--dialect', 'raw'), 1, /^nest-uds: CONNECTION_LOST: /);
    }
  });

  it('says that no answer came where the endpoint does not serve raw', async () => {
    const { path } = await serve([Faulty]);
    expectOneLine(await runCli('send', path, 'hello', '--dialect', 'raw'), 1, /^nest-uds: [A-Z_]+: /);
  });

  it('says that the time is up', async () => {
    const path = await rawEndpoint('never');
    const outcome = await runCli('send', path, 'x', '--dialect', 'raw', '--timeout-ms', '200');
    expectOneLine(outcome, 1, /DEADLINE_EXCEEDED: /);
  });
});
