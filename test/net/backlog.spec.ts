import { describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterThisTest } from '../support/cleanup.js';
import { serve } from '../support/nest.js';

const NEWCOMERS = 64;

/** Of so many who come in one turn of the loop, in which nobody is accepted, those whom the system refused at once. */
async function refusedOf(path: string): Promise<number> {
  const coming = Array.from({ length: NEWCOMERS }, async () => {
    const socket = connect(path);
    afterThisTest(() => socket.destroy());
    try {
      await once(socket, 'connect');
      return 0;
    } catch {
      return 1;
    }
  });
  const refused: number[] = await Promise.all(coming);
  return refused.reduce((sum, each) => sum + each, 0);
}

describe('the backlog of a server', () => {
  it('holds as many as were asked for, and the system refuses others while they wait', async () => {
    const { path } = await serve([], { backlog: 4 });
    expect(await refusedOf(path)).toBeGreaterThan(NEWCOMERS / 2);
  });

  it('refuses nobody while it has room', async () => {
    const { path } = await serve([], { backlog: NEWCOMERS });
    expect(await refusedOf(path)).toBe(0);
  });
});
