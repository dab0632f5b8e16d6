import { runSidecar } from './sidecar/sidecar.js';

// A log whose reader has gone is no reason to stop serving.
for (const output of [process.stdout, process.stderr]) output.on('error', () => undefined);

await runSidecar();
