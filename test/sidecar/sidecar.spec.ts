import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { chmodSync, existsSync, mkdirSync, readdirSync, rmdirSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { EchoClient } from '../../src/echo/index.js';
import { runSidecar } from '../../src/sidecar/sidecar.js';
import { afterThisTest } from '../support/cleanup.js';
import { ProcessHost } from '../support/process-host.js';
import { tempFolder } from '../support/temp.js';
import { TextPeer } from '../support/text-peer.js';

describe('the sidecar', () => {
  const home = process.cwd();
  let folder: string;
  let stdout: string;
  let stderr: string;

  /** Keeps what is written, in place of showing it. */
  function capture(stream: 'stdout' | 'stderr', keep: (text: string) => void): void {
    const spy = jest.spyOn(process[stream], 'write').mockImplementation((text) => {
      keep(String(text));
      return true;
    });
    afterThisTest(() => spy.mockRestore());
  }

  beforeEach(() => {
    folder = tempFolder({ mayLeave: /^(run|raw|\.env)$/ });
    process.chdir(folder);
    stdout = stderr = '';
    capture('stdout', (text) => (stdout += text));
    capture('stderr', (text) => (stderr += text));
  });

  afterEach(() => {
    process.chdir(home);
  });

  function setVariables(variables: Record<string, string>): void {
    for (const [name, value] of Object.entries(variables)) {
      process.env[name] = value;
      afterThisTest(() => Reflect.deleteProperty(process.env, name));
    }
  }

  /** Starts it; a signal ends it after the test. */
  async function run(variables: Record<string, string> = {}): Promise<ProcessHost> {
    setVariables(variables);
    const host = new ProcessHost();
    afterThisTest(async () => {
      host.emit('SIGTERM');
      await host.exitCode();
    });
    await runSidecar(host);
    return host;
  }

  async function echoOn(path: string): Promise<string> {
    const client = new EchoClient({ path, connectTimeoutMs: 500 });
    afterThisTest(() => client.close());
    return await client.echo('hello');
  }

  it('serves on ./run/echo.sock in a folder of its own without being told anything', async () => {
    await run();
    expect(statSync('run').mode & 0o777).toBe(0o700);
    expect(statSync('run/echo.sock').mode & 0o777).toBe(0o600);
    expect(await echoOn('run/echo.sock')).toBe('hello');
    const path = resolve('run/echo.sock');
    expect(stdout).toContain(
      `Echo is served on ${path} (pid ${process.pid}). Try it: npm run -s demo -- ${path}`,
    );
    expect(stderr).toBe('');
  });

  it('takes a folder that is there already as it is', async () => {
    mkdirSync('run');
    chmodSync('run', 0o750);
    await run();
    expect(await echoOn('run/echo.sock')).toBe('hello');
    expect(statSync('run').mode & 0o777).toBe(0o750);
  });

  it('removes its socket and exits with 0 on a signal', async () => {
    const host = await run();
    host.emit('SIGTERM');
    expect(await host.exitCode()).toBe(0);
    expect(readdirSync('run')).toEqual([]);
  });

  it('reads a .env file beneath the environment, and writes nothing into the environment', async () => {
    writeFileSync('.env', 'UDS_PATH=unused.sock\nUDS_MODE=0622\nUDS_NAME="from the file"\n');
    mkdirSync('run');
    await run({ UDS_PATH: 'run/other.sock' });
    expect(statSync('run/other.sock').mode & 0o777).toBe(0o622);
    expect(Object.keys(process.env).filter((name) => name.startsWith('UDS_'))).toEqual(['UDS_PATH']);
  });

  it('echoes plain bytes on UDS_RAW_PATH too, under the mode that is set, and says so', async () => {
    mkdirSync('raw');
    await run({ UDS_RAW_PATH: 'raw/echo.sock', UDS_MODE: '0660' });
    expect([statSync('run/echo.sock').mode & 0o777, statSync('raw/echo.sock').mode & 0o777]).toEqual([
      0o660, 0o660,
    ]);
    const message = 'This is the message, This will be echoed back';
    const peer = await TextPeer.to('raw/echo.sock');
    await peer.send(message).end().closed();
    expect(peer.text).toBe(message);
    expect(await echoOn('run/echo.sock')).toBe('hello');
    expect(stdout).toContain(`Plain bytes are echoed on ${resolve('raw/echo.sock')}.`);
  });

  it('tells its endpoints and who is there by health', async () => {
    mkdirSync('raw');
    await run({ UDS_RAW_PATH: 'raw/echo.sock' });
    const raw = await TextPeer.to('raw/echo.sock');
    await raw.send('x').textComes('x');
    const client = new EchoClient({ path: 'run/echo.sock' });
    afterThisTest(() => client.close());
    expect((await client.health()).endpoints).toEqual([
      { path: './run/echo.sock', dialects: ['binary', 'ndjson', 'nest-json'], connections: 1 },
      { path: 'raw/echo.sock', dialects: ['raw'], pattern: 'echo', connections: 1 },
    ]);
  });

  it('serves no plain bytes and says nothing of them without UDS_RAW_PATH', async () => {
    await run({ UDS_RAW_PATH: '' });
    expect(readdirSync('run')).toEqual(['echo.sock']);
    expect(stdout).not.toContain('Plain bytes');
  });

  it('removes both sockets on a signal', async () => {
    const host = await run({ UDS_RAW_PATH: 'run/raw.sock' });
    expect(readdirSync('run').sort()).toEqual(['echo.sock', 'raw.sock']);
    host.emit('SIGTERM');
    expect(await host.exitCode()).toBe(0);
    expect(readdirSync('run')).toEqual([]);
  });

  it('does not start where the raw path can not be had, and leaves no socket', async () => {
    const host = await run({ UDS_RAW_PATH: 'missing/raw.sock' });
    expect(host.codes).toEqual([1]);
    expect(stderr).toMatch(/^DIRECTORY_MISSING: The directory missing does not exist: .*\n$/);
    expect(readdirSync('run')).toEqual([]);
  });

  it('does not start where both paths are the same', async () => {
    const host = await run({ UDS_RAW_PATH: 'run/echo.sock' });
    expect(host.codes).toEqual([1]);
    expect(stderr).toMatch(/^INVALID_OPTION: Two of the endpoints have the path .*run\/echo\.sock\.\n$/);
  });

  it('logs what LOG_LEVEL asks for', async () => {
    await run({ LOG_LEVEL: 'warn' });
    expect(stdout).toBe('');
  });

  it('logs one JSON object a line with LOG_FORMAT=json', async () => {
    await run({ LOG_FORMAT: 'json' });
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);
    expect(lines.at(-1)).toMatchObject({
      level: 'log',
      context: 'Sidecar',
      message: expect.stringContaining(resolve('run/echo.sock')),
    });
  });

  it('writes text without colours where nobody looks', async () => {
    await run();
    expect(stdout).not.toContain('\u001b');
  });

  it('is quoted for a shell where the path needs it', async () => {
    mkdirSync('run');
    await run({ UDS_PATH: "run/it's here.sock" });
    const quoted = `'${resolve("run/it's here.sock").replace("'", String.raw`'\''`)}'`;
    expect(stdout).toContain(`npm run -s demo -- ${quoted}`);
  });

  it('does not start where the environment is wrong', async () => {
    const host = await run({ UDS_MODE: 'rw', UDS_PAHT: 'x' });
    expect(host.codes).toEqual([1]);
    expect(stderr).toMatch(/^UDS_MODE is "rw"; allowed is .*\nUDS_PAHT is unknown\. Known are: .*\n$/);
    expect(stdout).toBe('');
    expect(existsSync('run')).toBe(false);
  });

  it('says in JSON what is wrong where JSON was asked for', async () => {
    await run({ UDS_MODE: 'rw', LOG_FORMAT: 'json' });
    expect(JSON.parse(stderr)).toMatchObject({
      level: 'fatal',
      message: expect.stringContaining('UDS_MODE'),
    });
  });

  it('does not start where its folder is missing, and makes none', async () => {
    const host = await run({ UDS_PATH: 'missing/echo.sock' });
    expect(host.codes).toEqual([1]);
    expect(stderr).toMatch(/^DIRECTORY_MISSING: The directory missing does not exist: .*\n$/);
    expect(existsSync('missing')).toBe(false);
  });

  it('does not start where the default folder can not be made', async () => {
    // Here nobody makes a folder, not even root.
    process.chdir(process.platform === 'linux' ? '/proc' : '/');
    const host = await run();
    expect(host.codes).toEqual([1]);
    expect(stderr).toMatch(
      /^LISTEN_FAILED: The folder \.\/run can not be made: the system says E\w+\. Make it, or choose another path \(UDS_PATH\)\.\n$/,
    );
  });

  it('tells everything of an error that nobody foresaw', async () => {
    const gone = join(folder, 'run');
    mkdirSync(gone);
    process.chdir(gone);
    rmdirSync(gone);
    const host = await run();
    expect(host.codes).toEqual([1]);
    expect(stderr).toMatch(/ENOENT.*\n +at .*sidecar\.ts/s);
  });

  it('does not start where a live server has the path', async () => {
    await run();
    const second = await run();
    expect(second.codes).toEqual([1]);
    expect(stderr).toMatch(
      new RegExp(`^ADDRESS_IN_USE: A live server has ./run/echo.sock: process ${process.pid}\\..*\\n$`),
    );
    expect(await echoOn('run/echo.sock')).toBe('hello');
  });
});
