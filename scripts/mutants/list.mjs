import { around } from './around.mjs';
import { bounds } from './bounds.mjs';
import { callMemory } from './call-memory.mjs';
import { calls } from './calls.mjs';
import { cli } from './cli.mjs';
import { dialects } from './dialects.mjs';
import { letter } from './letter.mjs';
import { lifecycle } from './lifecycle.mjs';
import { lifetime } from './lifetime.mjs';
import { limits } from './limits.mjs';
import { net } from './net.mjs';
import { ownership } from './ownership.mjs';
import { parity } from './parity.mjs';
import { promises } from './promises.mjs';
import { protocol } from './protocol.mjs';
import { soak } from './soak.mjs';
import { secure } from './secure.mjs';
import { speed } from './speed.mjs';
import { streams } from './streams.mjs';
import { transport } from './transport.mjs';
import { unsent } from './unsent.mjs';

/**
 * Each entry takes one promise out of the source: `from` (which occurs once in `file`) becomes `to`, and then a test of
 * `spec`, chosen by `name` where one is given, must fail. `builds`: the test runs dist, so it is built with the edit.
 * `keeps`: the sentence of docs/promises.md that the test holds. `row`: the fault whose row must turn red.
 */
export const mutants = [
  ...protocol,
  ...net,
  ...bounds,
  ...limits,
  ...callMemory,
  ...calls,
  ...letter,
  ...promises,
  ...parity,
  ...lifecycle,
  ...lifetime,
  ...ownership,
  ...soak,
  ...streams,
  ...transport,
  ...unsent,
  ...around,
  ...cli,
  ...dialects,
  ...secure,
  ...speed,
];
