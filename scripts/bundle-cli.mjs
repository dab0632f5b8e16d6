// The command line as one file: Node takes a millisecond and more to load a module, and there are forty of them.
import { rm } from 'node:fs/promises';
import { build } from 'esbuild';

await rm('dist/cli', { recursive: true, force: true });
await build({
  entryPoints: ['src/cli/main.ts'],
  outfile: 'dist/cli/main.js',
  bundle: true,
  packages: 'external',
  platform: 'node',
  format: 'esm',
  target: 'node20',
  logLevel: 'warning',
});
