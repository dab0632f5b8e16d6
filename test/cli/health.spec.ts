import { describe, expect, it, jest } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { MessagePattern, RpcException } from '@nestjs/microservices';
import { join } from 'node:path';
import { serve, socketPath } from '../support/nest.js';
import { RawServer } from '../support/raw-server.js';
import { tempFolder } from '../support/temp.js';
import { CONTROL, expectOneLine, jsonLinesOf, linesOf, runCli, startSidecar } from './cli.js';

// Several processes a test, on a machine that may be busy.
jest.setTimeout(60_000);

let answer: () => unknown = () => undefined;

@Controller()
class Healthy {
  @MessagePattern('health')
  health(): unknown {
    return answer();
  }
}

describe('nest-uds health', () => {
  it('says who serves, its figures and its endpoints, and exits with 0', async () => {
    const { path, rawPath, process } = await startSidecar();
    const { code, stdout, stderr } = await runCli('health', path);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const lines = linesOf(stdout);
    expect(lines[0]).toBe(`up: echo, pid ${process.pid}`);
    for (const name of ['uptimeMs', 'connections', 'callsServed', 'callsInFlight'])
      expect(lines).toContainEqual(expect.stringMatching(new RegExp(`^  ${name}: \\d+$`)));
    expect(stdout).toContain(`{"path":"${path}","dialects":["binary","ndjson","nest-json"],"connections":1}`);
    expect(stdout).toContain(`{"path":"${rawPath}","dialects":["raw"],"pattern":"echo","connections":0}`);
  });

  it('says the same as one JSON object', async () => {
    const { path, process } = await startSidecar();
    const { code, stdout, stderr } = await runCli('health', path, '--json');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const [health, ...more] = jsonLinesOf(stdout);
    expect(more).toEqual([]);
    expect(health).toMatchObject({ status: 'up', name: 'echo', pid: process.pid });
    expect(health).toMatchObject({ figures: { pid: process.pid, connections: 1, callsInFlight: 1 } });
  });

  it('calls an application up that has no handler for its figures', async () => {
    const { path } = await serve([], { name: 'shop' });
    const text = await runCli('health', path);
    expect(text).toMatchObject({ code: 0, stderr: '' });
    expect(text.stdout).toMatch(/^up: shop, pid \d+; [^\n]*no figures\n$/);
    const json = await runCli('health', path, '--json');
    expect(json.code).toBe(0);
    expect(jsonLinesOf(json.stdout)).toEqual([{ status: 'up', name: 'shop', pid: process.pid }]);
  });

  it.each<[string, () => unknown]>([
    ['a text', () => 'fine'],
    ['nothing', () => undefined],
    ['null', () => null],
    ['a list', () => ['fine']],
    ['bytes', () => new Uint8Array(3)],
    ['figures of other kinds', () => ({ pid: 'x', endpoints: 'none', deep: { a: [1] } })],
  ])('calls an application up whose handler answers %s', async (_name, given) => {
    answer = given;
    const { path } = await serve([Healthy]);
    const text = await runCli('health', path);
    expect(text).toMatchObject({ code: 0, stderr: '' });
    expect(text.stdout).toMatch(/^up: .*pid \d+/);
    // No figure is made of a text's letters.
    expect(text.stdout).not.toMatch(/^ *\d+: "\w"$/m);
    const json = await runCli('health', path, '--json');
    expect(json.code).toBe(0);
    expect(jsonLinesOf(json.stdout)[0]).toMatchObject({ status: 'up', pid: process.pid });
  });

  it('exits with 1 and one line where the handler fails, and says so in JSON', async () => {
    answer = () => {
      throw new RpcException({ code: 'SICK', message: 'the\ndisk\u001b[2J is full' });
    };
    const { path } = await serve([Healthy]);
    const text = await runCli('health', path);
    expectOneLine(text, 1, /the\\ndisk\\u001b\[2J is full/);
    const json = await runCli('health', path, '--json');
    expect(json.code).toBe(1);
    expect(jsonLinesOf(json.stdout)).toEqual([
      { status: 'down', error: expect.objectContaining({ code: 'SICK' }) },
    ]);
  });

  it('exits with 1 where the handler answers too late', async () => {
    answer = () => new Promise(() => undefined);
    const { path } = await serve([Healthy]);
    const { code, stdout, stderr } = await runCli('health', path, '--timeout-ms', '100');
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^nest-uds: DEADLINE_EXCEEDED: [^\n]+\n$/);
  });

  it('exits with 1 and says down in JSON where no server answers', async () => {
    const missing = await runCli('health', join(tempFolder(), 'none'), '--json');
    expect(missing.code).toBe(1);
    expect(jsonLinesOf(missing.stdout)).toEqual([
      { status: 'down', error: { code: 'SERVER_NOT_FOUND', message: expect.stringContaining('none') } },
    ]);
    const { path } = await RawServer.listening(socketPath(), { accept: (socket) => socket.resume() });
    const mute = await runCli('health', path, '--json');
    expect(mute.code).toBe(1);
    expect(jsonLinesOf(mute.stdout)).toEqual([
      {
        status: 'down',
        error: { code: 'HELLO_TIMEOUT', message: expect.stringContaining('Wait longer with --timeout-ms') },
      },
    ]);
  });

  it('says, as ping does, that it needs an endpoint with binary', async () => {
    const { path } = await serve([Healthy], { endpoints: [{ path: socketPath(), dialects: ['ndjson'] }] });
    for (const command of ['health', 'ping'])
      expectOneLine(await runCli(command, path), 1, /UNKNOWN_DIALECT: .*health need one with binary/);
  });

  it('shows a name and figures that hold control characters in one line each', async () => {
    answer = () => ({ 'a\nup: forged': 'b\u001b[2J\u009b\u2028c' });
    const { path } = await serve([Healthy], { name: 'evil\u001b[31m\nup: me' });
    const { code, stdout } = await runCli('health', path);
    expect(code).toBe(0);
    expect(linesOf(stdout)).toHaveLength(2);
    expect(stdout.replaceAll('\n', '')).not.toMatch(CONTROL);
  });
});
