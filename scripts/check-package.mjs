// Is what `npm publish` would send what a stranger can use? Packs, installs the tarball into a project of its
// own, type-checks and runs scripts/consumer/ there. One line a check; ends with 1 where one fails.
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';

const root = new URL('..', import.meta.url).pathname;
const manifest = readJson(join(root, 'package.json'));
const temp = mkdtempSync(join(tmpdir(), 'nest-uds-package-'));
const project = join(temp, 'project');

/** What earlier checks found out; a check that lacks what it needs throws, and so fails too. */
const found = {};

const checks = {
  packs: () => {
    const [packed] = JSON.parse(run('npm', ['pack', '--json', '--pack-destination', temp], root, /^\[/m));
    found.tarball = join(temp, basename(packed.filename));
    found.files = packed.files.map((file) => file.path);
    return `${found.files.length} files, ${Math.round(packed.size / 1024)} KiB`;
  },

  'packs nothing but `files`': () => {
    // npm adds these three by itself
    const allowed = [...manifest.files, 'package.json', 'README.md', 'LICENSE'];
    const foreign = found.files.filter(
      (file) => !allowed.some((name) => file === name || file.startsWith(`${name}/`)),
    );
    if (foreign.length > 0) throw new Error(foreign.join('\n'));
  },

  'packs what `exports` names': () => {
    const named = Object.values(manifest.exports).flatMap((entry) =>
      Object.values(entry instanceof Object ? entry : [entry]),
    );
    const missing = named.filter((path) => !found.files.includes(path.replace('./', '')));
    if (missing.length > 0) throw new Error(missing.join('\n'));
  },

  publint: async () => {
    const { buffer } = new Uint8Array(readFileSync(found.tarball));
    const { messages } = await publint({ strict: true, pack: { tarball: buffer } });
    if (messages.length > 0)
      throw new Error(messages.map((message) => formatMessage(message, manifest)).join('\n'));
  },

  installs: () => {
    mkdirSync(project);
    const names = [...Object.keys(manifest.peerDependencies), 'typescript', '@types/node'];
    const dependencies = Object.fromEntries(names.map((name) => [name, installedVersion(name)]));
    dependencies[manifest.name] = `file:${found.tarball}`;
    writeFileSync(
      join(project, 'package.json'),
      JSON.stringify({ private: true, type: 'module', dependencies }),
    );
    run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund'], project);
    return names.map((name) => `${name} ${dependencies[name]}`).join(', ');
  },

  'type-checks': () => {
    copyFileSync(join(root, 'scripts/consumer/main.ts'), join(project, 'main.ts'));
    copyFileSync(join(root, 'scripts/consumer/tsconfig.consumer.json'), join(project, 'tsconfig.json'));
    run(process.execPath, ['node_modules/typescript/bin/tsc', '-p', '.'], project);
  },

  runs: () =>
    run(process.execPath, ['out/main.js'], project, /the echo answered x/)
      .trim()
      .split('\n')
      .at(-1),

  'its program runs': () => {
    const program = join(project, 'node_modules/.bin/nest-uds');
    run(program, ['--help'], project, /^ {2}ping .*^ {2}send .*^ {2}health /ms);
    return run('npx', ['--no-install', 'nest-uds', '--version'], project, versionLine()).trim();
  },
};

try {
  for (const [name, check] of Object.entries(checks)) {
    try {
      const detail = await check();
      console.log(`ok     ${name}${detail ? ` (${detail})` : ''}`);
    } catch (error) {
      process.exitCode = 1;
      console.log(`not ok ${name}\n${String(error.message).replace(/^/gm, '       ')}`);
    }
  }
} finally {
  rmSync(temp, { recursive: true, force: true });
}

/** Standard output of a command that must end with 0 within two minutes and print what `expected` matches. */
function run(command, args, cwd, expected = /(?:)/) {
  const { status, signal, error, stdout, stderr } = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    timeout: 120_000,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  if (status === 0 && expected.test(stdout)) return stdout;
  const cause = error?.message ?? `status ${status ?? signal}`;
  throw new Error(`${command} ${args.join(' ')}: ${cause}\n${stdout}${stderr}`.trim());
}

function versionLine() {
  return new RegExp(`^${manifest.version.replaceAll('.', '\\.')}$`, 'm');
}

function installedVersion(name) {
  return readJson(join(root, 'node_modules', name, 'package.json')).version;
}

function readJson(path) {
  return JSON.parse(readFileSync(path, 'utf8'));
}
