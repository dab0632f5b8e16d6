import { expect } from '@jest/globals';
import { underAttack } from './support/attacked.js';
import { fault } from './support/fault.js';
import { done } from './support/order.js';

const KIB = 1024;
const ROUNDS = 3;
const LOADS = [
  { calls: 64, bytes: KIB ** 2 },
  { calls: 512, bytes: 16 * KIB },
];
/** What is under way at once, as it came and as it leaves: the same bytes, where they came in one piece. */
const HELD_BYTES = Math.max(...LOADS.map(({ calls, bytes }) => calls * bytes));

fault(
  '64 echoes of 1 MiB both ways at once; 512 of 16 KiB; on one connection',
  { promise: "all answered (Nest's own TCP transport of 12.1 deadlocks here)" },
  async (scene) => {
    await underAttack(scene, { bytes: HELD_BYTES }, async () => {
      for (const load of LOADS) {
        const said = await done(scene.startClient('big-echoes', { ...load, rounds: ROUNDS }));
        const { answered, failed } = JSON.parse(said) as {
          readonly answered: number;
          readonly failed: object;
        };
        expect(failed).toEqual({});
        const atRisk = load.calls * ROUNDS;
        scene.row.add({ atRisk, lost: atRisk - answered });
      }
    });
  },
);
