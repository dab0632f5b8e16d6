import { beforeEach, describe, expect, it } from '@jest/globals';
import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { afterThisTest } from '../support/cleanup.js';
import { tempFolder } from '../support/temp.js';
import { itWith, Program, runPython } from './programs.js';

const itPython = itWith('python3');
const CLI = resolve('dist/cli/main.cjs');
const MESSAGE = 'This is the message, This will be echoed back';

let path: string;

beforeEach(() => {
  path = join(tempFolder({ mayLeave: /^raw\.sock$/ }), 'raw.sock');
});

async function startServer(): Promise<Program> {
  const server = runPython('raw_server.py', path);
  await server.says('listening\n');
  return server;
}

const send = (...args: readonly string[]): Program =>
  new Program(process.execPath, [CLI, 'send', '--dialect', 'raw', path, ...args]);

describe('nest-uds send --dialect raw, against a raw server as it is usually written,', () => {
  itPython('prints its message as it comes back, and ends with 0', async () => {
    const server = await startServer();
    for (const message of [MESSAGE, 'Zażółć 😀']) {
      const cli = send(message);
      expect([await cli.exit(), cli.stderr, cli.text]).toEqual([0, '', message]);
    }
    const ends = 'listening\nconnected\ndone\nconnected\ndone\n';
    await server.says(ends);
    expect(server.text).toBe(ends);
  });

  itPython('has 10 MB back that it read from its input', async () => {
    await startServer();
    const bytes = Buffer.alloc(10_000_000, Buffer.from(Array.from({ length: 251 }, (_, index) => index)));
    const cli = send('--bytes', '-').write(bytes).endInput();
    expect([await cli.exit(), cli.stderr, cli.output.length]).toEqual([0, '', bytes.length]);
    expect(cli.output.equals(bytes)).toBe(true);
  });

  itPython('leaves the server to the next one where it is killed in the middle', async () => {
    const server = await startServer();
    const cli = send('--bytes', '-').write(Buffer.alloc(50_000_000)).endInput();
    await server.says('listening\nconnected\n');
    cli.kill('SIGKILL');
    expect(await cli.exit()).toBe('SIGKILL');
    const next = send(MESSAGE);
    expect([await next.exit(), next.stderr, next.text]).toEqual([0, '', MESSAGE]);
  });

  itPython('ends with 1 and a line where the server is killed in the middle', async () => {
    const server = await startServer();
    const cli = send('--bytes', '-').write(Buffer.alloc(50_000_000)).endInput();
    await server.says('listening\nconnected\n');
    server.kill('SIGKILL');
    expect(await server.exit()).toBe('SIGKILL');
    expect(await cli.exit()).toBe(1);
    expect(cli.stderr).toMatch(/^[^\n]*CONNECTION_LOST[^\n]*\n$/);
  });

  it('ends with 1 and a line where the server ends before it has taken all that is sent', async () => {
    const server = createServer({ pauseOnConnect: true, allowHalfOpen: true }, (socket) => {
      afterThisTest(() => socket.destroy());
      socket.on('error', () => undefined).end('some of it');
    });
    server.listen(path);
    afterThisTest(() => server.close());
    await once(server, 'listening');
    const cli = send('--bytes', '-').write(Buffer.alloc(10_000_000)).endInput();
    expect(await cli.exit()).toBe(1);
    expect(cli.stderr).toMatch(/^[^\n]*CONNECTION_LOST[^\n]*\n$/);
  });

  itPython('ends with 1 and a line where the server is there no more', async () => {
    const server = await startServer();
    server.kill('SIGKILL');
    await server.exit();
    const cli = send(MESSAGE);
    expect([await cli.exit(), cli.text]).toEqual([1, '']);
    expect(cli.stderr).toMatch(/^[^\n]*CONNECTION_REFUSED[^\n]*\n$/);
  });
});
