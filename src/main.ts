import { runSidecar } from './sidecar/sidecar.js';

await runSidecar();
