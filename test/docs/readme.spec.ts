import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { itWith } from '../interop/programs.js';
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
async function serve(folder: string, args: string[], readyLine: RegExp, env = {}): Promise<ChildProcess> {
  const child = spawn(process.execPath, args, {
    cwd: folder,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
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
      'tcp-client.ts',
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

  describe('beside the sidecar', () => {
    let sidecar: ChildProcess;
    beforeAll(async () => {
      const env = { UDS_RAW_PATH: './run/raw.sock' };
      sidecar = await serve(folder, [resolve('dist/main.js')], /raw\.sock/, env);
    });
    afterAll(async () => {
      await stop(sidecar);
      expect(readdirSync(join(folder, 'run'))).toEqual([]);
    });

    test('talks to it with the typed client', async () => {
      const { stdout } = await run(process.execPath, ['greeter.js'], { cwd: folder });
      expect(stdout).toMatch(/^hello\na\nb$/m);
    });

    test("talks to it with Nest's own client", async () => {
      const { stdout } = await run(process.execPath, ['tcp-client.js'], { cwd: folder });
      expect(stdout).toBe('hello\n');
    });

    itWith('nc')('echoes by nc in one line, as JSON and as plain bytes', async () => {
      const [line] = /^echo '.*nc .*$/m.exec(page) ?? [''];
      const [, answer] = /prints `(\{"id".*\})`/.exec(page) ?? [];
      expect((await run('sh', ['-c', line], { cwd: folder })).stdout).toBe(`${answer}\n`);
      const [, bytes = ''] = /`(printf hello \| nc .*?)`/.exec(page) ?? [];
      expect((await run('sh', ['-c', bytes], { cwd: folder })).stdout).toBe('hello');
    });

    itWith('python3')('echoes by Python in ten lines', async () => {
      const [, program = ''] = /```python\n(.*?)```/s.exec(page) ?? [];
      expect(program.trim().split('\n').length).toBeLessThanOrEqual(10);
      writeFileSync(join(folder, 'echo.py'), program);
      const [, command = ''] = /`(python3 echo\.py .*?)` prints `hello`/.exec(page) ?? [];
      expect((await run('sh', ['-c', command], { cwd: folder })).stdout).toBe('hello\n');
    });

    const commands = [...page.matchAll(/^npm run -s cli -- (.*)$/gm)].map(([, rest]) => String(rest));
    test('shows each command of the command line', () => {
      expect(commands.map((command) => command.split(' ')[0])).toEqual(['ping', 'send', 'health']);
    });

    test.each(commands)('runs nest-uds %s', async (command) => {
      const program = `'${process.execPath}' '${resolve('dist/cli/main.cjs')}'`;
      const { stdout, stderr } = await run('sh', ['-c', `${program} ${command}`], { cwd: folder });
      expect(stderr).toBe('');
      expect(stdout).toMatch(/ 0% lost|^\{"hello":"world"\}$|^up: echo/m);
    });
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
      const known = ['ci', 'i', 'pack', ...Object.keys(scripts)];
      const named = [...text.matchAll(/npm (?:run )?(?:-s )?([\w:]+)/g)].map((match) => String(match[1]));
      expect(named.filter((name) => !known.includes(name))).toEqual([]);
    },
  );
});
