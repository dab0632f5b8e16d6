// The command line as one file, commander included, in CommonJS: Node takes a millisecond and more to load a module, there
// are forty of them, and the loader of ES modules costs some ten before the first.
import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { build } from 'esbuild';

const license = readFileSync('node_modules/commander/LICENSE', 'utf8').trim();

await rm('dist/cli', { recursive: true, force: true });
await build({
  entryPoints: ['src/cli/main.ts'],
  outfile: 'dist/cli/main.cjs',
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node20',
  define: { 'import.meta.url': 'moduleUrl' },
  banner: {
    js: `/* Contains commander:\n${license}\n*/\nconst moduleUrl = require('node:url').pathToFileURL(__filename).href;`,
  },
  logLevel: 'warning',
});
