import { beforeEach, describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { type Observable, range } from 'rxjs';
import type { UdsClient } from '../../src/index.js';
import { afterThisTest } from '../support/cleanup.js';
import { clientOf, serve } from '../support/nest.js';
import { until } from '../support/wait.js';

const MIB = 1024 ** 2;

let pulls = 0;

beforeEach(() => {
  pulls = 0;
});

@Controller()
class Numbers {
  @MessagePattern('pulled')
  async *pulled(@Payload() count: number): AsyncGenerator<number> {
    for (pulls = 0; pulls < count; pulls += 1) yield pulls;
  }

  @MessagePattern('pushed')
  pushed(@Payload() count: number): Observable<number> {
    return range(0, count);
  }
}

/** Reads to the end; gives how many numbers came, each one more than the last. */
async function readAll(client: UdsClient, pattern: string, count: number, whenFirst: () => Promise<void>) {
  let next = 0;
  const over = new AbortController();
  afterThisTest(() => over.abort());
  for await (const number of client.stream<number>(pattern, count)) {
    if (number !== next) throw new Error(`${number} came in place of ${next}`);
    next += 1;
    if (next === 1) await whenFirst();
    // Else the limit of the test, which is what fails it, would never ring.
    if (next % 1000 === 0) await new Promise(setImmediate);
    if (over.signal.aborted) break;
  }
  return next;
}

// Work that grows with the square of the backlog would take minutes here, and run into the limit of a test.
describe('a long backlog of small values is worked off in order, and in a time that grows with its length', () => {
  it('where it waits for a reader', async () => {
    const COUNT = 150_000;
    const { path } = await serve([Numbers]);
    const client = clientOf(path, { streamCreditBytes: 16 * MIB });
    const allCame = (): Promise<void> => until(() => pulls === COUNT, 'the server has given all');
    expect(await readAll(client, 'pulled', COUNT, allCame)).toBe(COUNT);
  });

  it('where an Observable is ahead of the credit', async () => {
    const COUNT = 180_000;
    const { path } = await serve([Numbers], { maxStreamBufferBytes: 128 * MIB });
    const client = clientOf(path, { streamCreditBytes: 16 * 1024 });
    expect(await readAll(client, 'pushed', COUNT, () => Promise.resolve())).toBe(COUNT);
  });
});
