import { describe, expect, it, jest } from '@jest/globals';
import { type Child } from '../support/child.js';
import { socketPath } from '../support/nest.js';
import { RawServer } from '../support/raw-server.js';
import { jsonLinesOf, linesOf, outcomeOf, runCli, type Sidecar, startCli, startSidecar } from './cli.js';

// Several processes a test, on a machine that may be busy.
jest.setTimeout(60_000);

const NUMBER = String.raw`\d+\.\d{3}`;
const FIGURES = new RegExp(
  `^min/avg/p50/p99/max = (${NUMBER})/(${NUMBER})/(${NUMBER})/(${NUMBER})/(${NUMBER}) ms$`,
);
const COUNTS = /^(\d+) echoes sent, (\d+) received, (\S+)% lost, (\d+) ms$/;

/** What each echo says it took, in the order of the lines. */
const timesOf = (child: Pick<Child, 'stdout'>): number[] =>
  [...child.stdout.matchAll(/ time=(\d+\.\d{3}) ms$/gm)].map(([, time]) => Number(time));

const echoLine = ({ path, process: { pid } }: Sidecar, bytes: number, seq: number): RegExp =>
  new RegExp(`^${bytes} bytes from ${path} \\(echo, pid ${pid}\\): seq=${seq} time=${NUMBER} ms$`);

describe('nest-uds ping', () => {
  it('prints a line an echo with its time, then counts and figures, and exits with 0', async () => {
    const sidecar = await startSidecar();
    const { code, stdout, stderr } = await runCli('ping', sidecar.path, '--count', '5', '--interval', '0');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const lines = linesOf(stdout);
    expect(lines).toHaveLength(8);
    for (let seq = 1; seq <= 5; seq += 1) expect(lines[seq - 1]).toMatch(echoLine(sidecar, 56, seq));
    expect(lines[5]).toBe(`--- ${sidecar.path}`);
    expect(COUNTS.exec(lines[6]!)?.slice(1, 4)).toEqual(['5', '5', '0']);
    expect(lines[7]).toMatch(FIGURES);
  });

  it('sums up the times that it printed', async () => {
    const { path } = await startSidecar();
    const ended = await runCli('ping', path, '-c', '21', '-i', '0');
    const times = timesOf(ended).toSorted((a, b) => a - b);
    expect(times).toHaveLength(21);
    const [min, avg, p50, p99, max] = FIGURES.exec(linesOf(ended.stdout).at(-1)!)!.slice(1).map(Number);
    const mean = times.reduce((sum, time) => sum + time, 0) / times.length;
    // Each line is rounded to three decimals, as the mean of them all is.
    expect([min, p99, max]).toEqual([times[0], times[20], times[20]]);
    expect(Math.abs(avg! - mean)).toBeLessThanOrEqual(0.001_01);
    // The histogram keeps four digits of each time.
    expect(Math.abs(p50! - times[10]!)).toBeLessThanOrEqual(0.001_01 + times[10]! / 10_000);
  });

  it('sends as many bytes as --size says, none too', async () => {
    const sidecar = await startSidecar();
    for (const size of [0, 1, 1_000_000]) {
      const { code, stdout } = await runCli('ping', sidecar.path, '-c', '1', '-s', String(size));
      expect(code).toBe(0);
      expect(linesOf(stdout)[0]).toMatch(echoLine(sidecar, size, 1));
    }
  });

  it('lets --interval seconds pass between two echoes, and none behind the last', async () => {
    const { path } = await startSidecar();
    const spaced = await runCli('ping', path, '-c', '3', '-i', '0.25');
    const last = await runCli('ping', path, '-c', '1', '-i', '86400');
    const tookMs = Number(COUNTS.exec(linesOf(spaced.stdout).at(-2)!)?.[4]);
    // A timer of Node may ring a millisecond early.
    expect(tookMs).toBeGreaterThanOrEqual(490);
    expect(last.code).toBe(0);
  });

  it('says nothing on the standard error output, however many echoes there are', async () => {
    const { path } = await startSidecar();
    const { code, stderr } = await runCli('ping', path, '-c', '100', '-i', '0');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });

  it('goes on until Ctrl-C without a count, and then sums up and exits with 0', async () => {
    const { path } = await startSidecar();
    const ping = startCli('ping', path, '-i', '0.01');
    await ping.says(/seq=12 /);
    ping.signal('SIGINT');
    const { code, stdout, stderr } = await outcomeOf(ping);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const lines = linesOf(stdout);
    const [, sent, received, lost] = COUNTS.exec(lines.at(-2)!)!;
    expect([received, lost]).toEqual([sent, '0']);
    expect(timesOf({ stdout })).toHaveLength(Number(sent));
    expect(lines.at(-1)).toMatch(FIGURES);
  });

  it('is not kept waiting by its interval when Ctrl-C comes', async () => {
    const { path } = await startSidecar();
    const ping = startCli('ping', path, '-i', '86400');
    await ping.says(/seq=1 /);
    ping.signal('SIGINT');
    expect(await ping.exit()).toBe(0);
    expect(ping.stdout).toMatch(/^1 echoes sent, 1 received, 0% lost/m);
  });
});

describe('nest-uds ping at a server that does not answer the hello', () => {
  it('exits with 130 at Ctrl-C, and has nothing to sum up', async () => {
    const server = await RawServer.listening(socketPath(), { greet: false });
    const ping = startCli('ping', server.path, '--timeout-ms', '60000');
    await server.frame(1);
    ping.signal('SIGINT');
    expect(await outcomeOf(ping)).toEqual({ code: 130, stdout: '', stderr: '' });
  });
});

describe('nest-uds ping --json', () => {
  it('prints an object a line, the summary last', async () => {
    const { path } = await startSidecar();
    const { code, stdout, stderr } = await runCli('ping', path, '-c', '3', '-i', '0', '-s', '8', '--json');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const lines = jsonLinesOf(stdout);
    const summary = lines.pop()!;
    expect(lines.map(({ seq, bytes }) => ({ seq, bytes }))).toEqual(
      [1, 2, 3].map((seq) => ({ seq, bytes: 8 })),
    );
    for (const { timeMs } of lines) expect(timeMs).toBeGreaterThan(0);
    expect(summary).toMatchObject({ path, sent: 3, received: 3, lost: 0 });
    const { minMs, avgMs, p50Ms, p99Ms, maxMs } = summary;
    const figures = [minMs, p50Ms, p99Ms, maxMs].map(Number);
    const times = lines.map(({ timeMs }) => Number(timeMs));
    expect([minMs, maxMs]).toEqual([Math.min(...times), Math.max(...times)]);
    expect(figures).toEqual(figures.toSorted((a, b) => a - b));
    expect(avgMs).toBeGreaterThanOrEqual(Number(minMs));
    expect(avgMs).toBeLessThanOrEqual(Number(maxMs));
  });

  it('ends with the summary when Ctrl-C comes too', async () => {
    const { path } = await startSidecar();
    const ping = startCli('ping', path, '-i', '0.01', '--json');
    await ping.says(/"seq":3,/);
    ping.signal('SIGINT');
    expect(await ping.exit()).toBe(0);
    const lines = jsonLinesOf(ping.stdout);
    expect(lines.at(-1)).toMatchObject({ sent: lines.length - 1, lost: 0 });
  });
});
