import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { Buffer } from 'node:buffer';
import { serve } from '../support/nest.js';
import { RawServer } from '../support/raw-server.js';
import { until } from '../support/wait.js';
import { jsonLinesOf, linesOf, outcomeOf, runCli, startCli, startSidecar } from './cli.js';

// Several processes a test, on a machine that may be busy.
jest.setTimeout(60_000);

/** Which calls of `echo`, counted from 1, are answered otherwise. */
let odd: (call: number, payload: Buffer) => unknown;
let calls = 0;

beforeEach(() => {
  odd = (_call, payload) => payload;
  calls = 0;
});

@Controller()
class OddEcho {
  @MessagePattern('echo')
  echo(@Payload() payload: Buffer): unknown {
    calls += 1;
    return odd(calls, payload);
  }
}

const NEVER = new Promise<never>(() => undefined);

const COUNTS = /^(\d+) echoes sent, (\d+) received, (\S+)% lost, /m;
const countsOf = (stdout: string): (string | undefined)[] => COUNTS.exec(stdout)?.slice(1) ?? [];

describe('nest-uds ping', () => {
  it('goes on where a server is killed, reaches the next one, and exits with 1 for the echoes lost', async () => {
    const first = await startSidecar();
    const ping = startCli('ping', first.path, '-i', '0.02');
    await ping.says(/seq=3 /);
    first.process.signal('SIGKILL');
    await ping.says(/^lost: seq=\d+ (CONNECTION_LOST|CONNECTION_REFUSED): .+$/m);
    const second = await startSidecar(first.path);
    await ping.says(new RegExp(`pid ${second.process.pid}\\): seq=\\d+ time=`));
    ping.signal('SIGINT');
    const { code, stdout, stderr } = await outcomeOf(ping);
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
    const [sent, received] = countsOf(stdout).map(Number);
    const lines = linesOf(stdout);
    expect(lines.filter((line) => line.startsWith('lost: '))).toHaveLength(sent! - received!);
    expect(lines.filter((line) => line.includes(' bytes from '))).toHaveLength(received!);
    // Each number once, in order, whatever became of it.
    const numbers = [...stdout.matchAll(/seq=(\d+)/g)].map(([, seq]) => Number(seq));
    expect(numbers).toEqual(Array.from({ length: sent! }, (_, index) => index + 1));
  });

  it.each<[string, (payload: Buffer) => unknown]>([
    ['other bytes', (payload) => payload.subarray(1)],
    ['a text', (payload) => payload.toString()],
    ['nothing', () => undefined],
  ])('counts an answer as lost that is %s', async (_name, answer) => {
    odd = (call, payload) => (call === 2 ? answer(payload) : payload);
    const { path } = await serve([OddEcho]);
    const { code, stdout, stderr } = await runCli('ping', path, '-c', '4', '-i', '0');
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
    expect(countsOf(stdout)).toEqual(['4', '3', '25']);
    expect(stdout).toMatch(/^lost: seq=2 What came back is not what was sent.*$/m);
  });

  it('counts an answer as lost that does not come within --timeout-ms, and goes on', async () => {
    odd = (call, payload) => (call === 1 ? NEVER : payload);
    const { path } = await serve([OddEcho]);
    const { code, stdout } = await runCli('ping', path, '-c', '2', '-i', '0', '--timeout-ms', '300');
    expect(code).toBe(1);
    expect(linesOf(stdout)[0]).toMatch(/^lost: seq=1 DEADLINE_EXCEEDED: .+$/);
    expect(linesOf(stdout)[1]).toMatch(/ seq=2 time=/);
    expect(countsOf(stdout)).toEqual(['2', '1', '50']);
  });

  it('has no figures where every echo was lost, as with a server that has no echo', async () => {
    const { path } = await serve([]);
    const { code, stdout } = await runCli('ping', path, '-c', '2', '-i', '0');
    expect(code).toBe(1);
    expect(stdout).toMatch(/^lost: seq=1 NO_HANDLER: .+$/m);
    expect(countsOf(stdout)).toEqual(['2', '0', '100']);
    expect(stdout).not.toContain('min/avg');
  });

  it('does not count the echo that Ctrl-C cuts short', async () => {
    odd = (call, payload) => (call === 3 ? NEVER : payload);
    const { path } = await serve([OddEcho]);
    const ping = startCli('ping', path, '-i', '0', '--timeout-ms', '0');
    await until(() => calls === 3, 'the third echo waits');
    ping.signal('SIGINT');
    expect(await ping.exit()).toBe(0);
    expect(countsOf(ping.stdout)).toEqual(['2', '2', '0']);
  });

  it('exits with 1 at Ctrl-C where an echo had been lost', async () => {
    odd = (call, payload) => (call === 2 ? 'no echo' : payload);
    const { path } = await serve([OddEcho]);
    const ping = startCli('ping', path, '-i', '0');
    await ping.says(/seq=4 time/);
    ping.signal('SIGINT');
    expect(await ping.exit()).toBe(1);
  });

  it('sums up at Ctrl-C also while the next server does not answer its hello', async () => {
    const { path, app } = await serve([OddEcho]);
    const ping = startCli('ping', path, '-i', '0.02', '--timeout-ms', '60000');
    await ping.says(/seq=1 time/);
    await app.close();
    const mute = await RawServer.listening(path, { greet: false });
    await mute.frame(1);
    ping.signal('SIGINT');
    // An echo may have been lost in between.
    expect([0, 1]).toContain(await ping.exit());
    expect(countsOf(ping.stdout)).toHaveLength(3);
  });

  it.each([
    ['one of 300 lost', (call: number) => call === 7, '0'],
    ['one of 300 received', (call: number) => call !== 7, '100'],
  ])('does not round %s away', async (_name, isLost, wrong) => {
    odd = (call, payload) => (isLost(call) ? 'no echo' : payload);
    const { path } = await serve([OddEcho]);
    const { code, stdout } = await runCli('ping', path, '-c', '300', '-i', '0');
    expect(code).toBe(1);
    expect(countsOf(stdout)[2]).toMatch(/^\d+(\.\d+)?$/);
    expect(countsOf(stdout)[2]).not.toBe(wrong);
  });

  it('says in JSON what was lost, and why', async () => {
    odd = (call, payload) => (call === 1 ? 'no echo' : payload);
    const { path } = await serve([OddEcho]);
    const { code, stdout, stderr } = await runCli('ping', path, '-c', '2', '-i', '0', '--json');
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
    const lines = jsonLinesOf(stdout);
    expect(lines).toHaveLength(3);
    expect(lines[0]).toEqual({ seq: 1, lost: expect.stringContaining('not what was sent') });
    expect(lines[2]).toMatchObject({ sent: 2, received: 1, lost: 1 });
  });

  it('has null for figures in JSON where every echo was lost', async () => {
    const { path } = await serve([]);
    const { stdout } = await runCli('ping', path, '-c', '1', '--json');
    const none = { minMs: null, avgMs: null, p50Ms: null, p99Ms: null, maxMs: null };
    expect(jsonLinesOf(stdout).at(-1)).toMatchObject({ sent: 1, received: 0, lost: 1, ...none });
  });
});
