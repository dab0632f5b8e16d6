// Installs what the bench needs, where that is not there yet, and the package that is measured as it was built last.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';

const HERE = import.meta.dirname;
const INSTALLED = join(HERE, 'node_modules', '.package-lock.json');
const OURS = join(HERE, 'node_modules', 'nest-uds', 'dist');
const DIST = join(HERE, '..', 'dist');

const isInstalled =
  existsSync(INSTALLED) && statSync(INSTALLED).mtimeMs >= statSync(join(HERE, 'package-lock.json')).mtimeMs;

export function prepare() {
  if (!isInstalled) {
    console.log('Installing the peers of the bench (bench/package.json)...');
    const { status } = spawnSync('npm', ['ci', '--no-audit', '--no-fund'], {
      cwd: HERE,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    if (status !== 0) throw new Error('npm ci failed in bench/');
  }
  rmSync(OURS, { recursive: true, force: true });
  cpSync(DIST, OURS, { recursive: true });
}
