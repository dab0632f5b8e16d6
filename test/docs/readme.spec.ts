import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { tempFolder } from '../support/temp.js';

const page = readFileSync('README.md', 'utf8');
const run = promisify(execFile);

/** The page's TypeScript, by the name in its first line. */
const files = new Map(
  [...page.matchAll(/```ts\n\/\/ (\S+\.ts)\n(.*?)```/gs)].map((match) => [
    String(match[1]),
    String(match[2]),
  ]),
);

const COMPILER_OPTIONS = {
  module: 'NodeNext',
  target: 'ES2023',
  lib: ['ES2024'],
  types: ['node'],
  strict: true,
  experimentalDecorators: true,
  emitDecoratorMetadata: true,
  skipLibCheck: true,
};

/** A project of its own, in which `nest-uds` is this one, as npm would install it. */
function makeProject(folder: string): void {
  for (const [name, text] of files) writeFileSync(join(folder, name), text);
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module' }));
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: COMPILER_OPTIONS }));
  const modules = join(folder, 'node_modules');
  mkdirSync(modules);
  for (const name of ['@nestjs', '@types', 'rxjs', 'reflect-metadata']) {
    symlinkSync(resolve('node_modules', name), join(modules, name));
  }
  symlinkSync(resolve('.'), join(modules, 'nest-uds'));
}

/** Starts a server and waits until its socket file is there. */
async function serve(folder: string, args: string[], readyLine: RegExp): Promise<ChildProcess> {
  const child = spawn(process.execPath, args, { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] });
  for await (const line of createInterface({ input: child.stdout })) {
    if (readyLine.test(line)) break;
  }
  // Somebody must go on reading, or the server stops at a full pipe.
  child.stdout.resume();
  return child;
}

async function stop(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  await exited;
}

describe('README', () => {
  let folder: string;

  beforeAll(async () => {
    folder = tempFolder({ mayLeave: /./ });
    makeProject(folder);
    await run(process.execPath, [resolve('node_modules/typescript/bin/tsc'), '-p', folder]);
  }, 120_000);

  test('has the code that these tests run', () => {
    expect([...files.keys()].sort()).toEqual([
      'checkout.ts',
      'greeter.ts',
      'history.ts',
      'options-of-a-call.ts',
      'prices.ts',
    ]);
  });

  describe('beside the servers of the page', () => {
    const servers: ChildProcess[] = [];
    beforeAll(async () => {
      for (const name of ['prices.js', 'history.js']) {
        servers.push(await serve(folder, [name], /successfully started/));
      }
    });
    afterAll(() => Promise.all(servers.map(stop)));

    test('injects the client and asks for a price', async () => {
      const { stdout } = await run(process.execPath, ['checkout.js'], { cwd: folder });
      expect(stdout).toMatch(/^tea costs 300$/m);
    });

    test('reads a stream with options, leaves it and meets an error', async () => {
      const { stdout } = await run(process.execPath, ['options-of-a-call.js'], { cwd: folder });
      expect(stdout).toBe("{ day: 1, tenant: 'a' }\n{ day: 2, tenant: 'a' }\nNO_HANDLER\n");
    });
  });

  test('talks to the sidecar with the typed client', async () => {
    const sidecar = await serve(folder, [resolve('dist/main.js')], /echo\.sock/);
    const { stdout } = await run(process.execPath, ['greeter.js'], { cwd: folder });
    await stop(sidecar);
    expect(stdout).toMatch(/^hello\na\nb$/m);
    expect(existsSync(join(folder, 'run/echo.sock'))).toBe(false);
  });

  test('names no file that is not there', () => {
    const links = [...page.matchAll(/\]\(([^)#]+)\)/g)].map((match) => String(match[1]));
    expect(links.filter((link) => !link.startsWith('http') && !existsSync(link))).toEqual([]);
  });

  test.each(['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md'])(
    'like %s names no script that is not there',
    (name) => {
      const text = readFileSync(name, 'utf8');
      const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as {
        scripts: Record<string, string>;
      };
      const known = ['ci', 'i', ...Object.keys(scripts)];
      const named = [...text.matchAll(/npm (?:run )?(?:-s )?([\w:]+)/g)].map((match) => String(match[1]));
      expect(named.filter((name) => !known.includes(name))).toEqual([]);
    },
  );
});
