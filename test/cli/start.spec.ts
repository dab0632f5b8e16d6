import { describe, expect, it } from '@jest/globals';
import { cpSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startNode } from '../support/child.js';
import { tempFolder } from '../support/temp.js';
import { CLI, outcomeOf, startSidecar } from './cli.js';

describe('the program nest-uds', () => {
  it('loads what is built into Node, and nothing else', () => {
    const bundle = readFileSync(CLI, 'utf8');
    const names = new Set(
      [...bundle.matchAll(/\b(?:require|import)\("([^"]+)"\)/g)].map(([, name]) => name!),
    );
    expect(names).toContain('node:net');
    expect([...names].filter((name) => !name.startsWith('node:'))).toEqual([]);
  });

  it('runs each command where no package is installed: no Nest, no rxjs, no zod', async () => {
    const { path, rawPath } = await startSidecar();
    const home = tempFolder({ mayLeave: /^(dist|package\.json)$/ });
    mkdirSync(join(home, 'dist/cli'), { recursive: true });
    cpSync(CLI, join(home, 'dist/cli/main.cjs'));
    cpSync('package.json', join(home, 'package.json'));
    for (const args of [
      ['--version'],
      ['--help'],
      ['ping', path, '-c', '1'],
      ['health', path],
      ['send', path, 'echo', '1'],
      ['send', path, 'echo', '1', '--dialect', 'ndjson'],
      ['send', rawPath, 'text', '--dialect', 'raw'],
    ]) {
      const { code, stdout, stderr } = await outcomeOf(startNode([join(home, 'dist/cli/main.cjs'), ...args]));
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout).not.toBe('');
    }
  });
});
