import { describe, expect, it } from '@jest/globals';
import { cpSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { startNode } from '../support/child.js';
import { tempFolder } from '../support/temp.js';
import { CLI, outcomeOf, startSidecar } from './cli.js';

describe('the program nest-uds', () => {
  it('imports what is built into Node, and commander', () => {
    const bundle = readFileSync(CLI, 'utf8');
    const imports = [
      ...bundle.matchAll(/(?:^import\b[^;]*?|^export\b[^;]*?from |import\()\s*["']([^"']+)["']/gm),
    ];
    const names = new Set(imports.map(([, name]) => name!));
    expect(names).toContain('node:net');
    expect([...names].filter((name) => !name.startsWith('node:'))).toEqual(['commander']);
  });

  it('runs each command where commander alone is installed: no Nest, no rxjs, no zod', async () => {
    const { path, rawPath } = await startSidecar();
    const home = tempFolder({ mayLeave: /^(dist|node_modules|package\.json)$/ });
    mkdirSync(join(home, 'dist/cli'), { recursive: true });
    cpSync(CLI, join(home, 'dist/cli/main.js'));
    cpSync('package.json', join(home, 'package.json'));
    mkdirSync(join(home, 'node_modules'));
    symlinkSync(resolve('node_modules/commander'), join(home, 'node_modules/commander'));
    for (const args of [
      ['--version'],
      ['--help'],
      ['ping', path, '-c', '1'],
      ['health', path],
      ['send', path, 'echo', '1'],
      ['send', path, 'echo', '1', '--dialect', 'ndjson'],
      ['send', rawPath, 'text', '--dialect', 'raw'],
    ]) {
      const { code, stdout, stderr } = await outcomeOf(startNode([join(home, 'dist/cli/main.js'), ...args]));
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout).not.toBe('');
    }
  });
});
