import { expect } from '@jest/globals';
import { underAttack } from './support/attacked.js';
import { fault } from './support/fault.js';
import { done } from './support/order.js';

const FRAMES = 100_000;

/** Each on a connection of its own; the code with which it ends, or none where all is ignored or answered. */
const STORMS: readonly { readonly kind: string; readonly code?: string; readonly frames?: number }[] = [
  { kind: 'CANCELs of what is over' },
  { kind: 'CANCELs of what runs', frames: 20_000 },
  // Refused one by one past a number that run on.
  { kind: 'CANCELs of what runs on' },
  { kind: 'CREDITs of what is over' },
  { kind: 'CREDITs of nobody' },
  { kind: 'PINGs' },
  { kind: 'PONGs' },
  { kind: 'unknown types that may be skipped' },
  { kind: 'unknown types', code: 'UNKNOWN_TYPE' },
  { kind: 'HELLOs', code: 'BAD_HELLO' },
  { kind: 'reused ids', code: 'ID_IN_USE' },
  // Refused one by one: the connection lives.
  { kind: 'requests past the limit', frames: 20_000 },
];

fault(
  'a storm of CANCELs, CREDITs, PINGs, HELLOs, reused ids, unknown types',
  {
    promise: 'the documented code or ignored, no growth',
    codes: ['UNKNOWN_TYPE', 'BAD_HELLO', 'ID_IN_USE', 'TOO_MANY_REQUESTS'],
  },
  async (scene) => {
    const { codes } = await underAttack(scene, {}, async () => {
      for (const { kind, code, frames = FRAMES } of STORMS) {
        const said = await done(scene.startClient('storm-client', { kind, frames }));
        const { lives } = JSON.parse(said) as { readonly lives: boolean };
        scene.row.add({ atRisk: frames });
        if (lives !== (code === undefined)) scene.row.complain(`${kind}: ${lives ? 'lives' : 'was ended'}`);
      }
    });
    const some: unknown = expect.any(Number);
    expect(codes).toEqual({ UNKNOWN_TYPE: 1, BAD_HELLO: 1, ID_IN_USE: 1, TOO_MANY_REQUESTS: some });
  },
);
