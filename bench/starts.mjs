// How long programs take until they do what they are for.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const ROOT = join(import.meta.dirname, '..');
const DIST = join(ROOT, 'dist');
const LIMIT_MS = 60_000;

const untilEnd = (args) => ({ args, isOver: undefined });
const untilSaid = (args, isOver, env = {}) => ({ args, isOver, env });

const PROGRAMS = {
  sidecar: (folder) =>
    untilSaid([join(DIST, 'main.js')], (line) => line.includes('is served on'), {
      UDS_PATH: join(folder, 'sidecar'),
    }),
  'bare-microservice': (folder) =>
    untilSaid(
      [join(ROOT, 'bench', 'peer-server.mjs'), join(ROOT, 'bench', 'peers', 'nest-tcp.mjs'), folder],
      (line) => line === 'ready',
    ),
  cli: () => untilEnd([join(DIST, 'cli', 'main.cjs'), '--version']),
  'bare-node': () => untilEnd(['-e', '0']),
};

/** From the start of a program until it is ready; or, of one that ends by itself, until it has ended. */
export async function startTimeMs(name, folder) {
  const { args, isOver, env } = PROGRAMS[name](folder);
  const beganMs = performance.now();
  const child = spawn(process.execPath, args, {
    cwd: folder,
    env: { ...process.env, ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit', { signal: AbortSignal.timeout(LIMIT_MS) });
  if (isOver === undefined) {
    const [code] = await ended;
    if (code !== 0) throw new Error(`${name} ended with ${code}`);
    return performance.now() - beganMs;
  }
  const readyMs = await new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (isOver(line)) resolve(performance.now() - beganMs);
    });
    ended.then(() => reject(new Error(`${name} ended before it was ready`)), reject);
  });
  child.kill();
  child.stdin.end();
  await ended;
  return readyMs;
}
