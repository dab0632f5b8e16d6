import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { NEVER, type Observable } from 'rxjs';
import { startNode } from '../support/child.js';
import { serve } from '../support/nest.js';
import { until } from '../support/wait.js';

// A process that loads Nest, on a machine that may be busy.
jest.setTimeout(60_000);

let seen: string[] = [];

beforeEach(() => {
  seen = [];
});

const STALL_MS = 1000;
/** All that a client may have under way, and so short that the system takes it before anything is read. */
const EVENTS = 64;
const EVENT_BYTES = 2000;

function stall(forMs: number): void {
  const endsAtMs = performance.now() + forMs;
  while (performance.now() < endsAtMs);
}

@Controller()
class Answers {
  @EventPattern('noted')
  note(@Payload() data: string): void {
    // A server that computes while its client leaves has most of what was sent still to read, and credit to give for the rest.
    if (seen.length === 0) stall(STALL_MS);
    seen.push(data);
  }

  @MessagePattern('never')
  never(): Observable<never> {
    return NEVER;
  }
}

/** Runs a script as a process of its own that knows `client` and `uds`; gives how it ended, and what it said. */
async function run(path: string, script: string): Promise<unknown> {
  const whole = `
    import * as uds from 'nest-uds';
    import { lastValueFrom } from 'rxjs';
    const client = new uds.UdsClient({ path: process.argv[1] });
    await client.connect();
    ${script}`;
  const child = startNode(['--input-type=module', '--eval', whole, path]);
  return { code: await child.exit(), stdout: child.stdout, stderr: child.stderr };
}

describe('a process with a client', () => {
  it('that exits right behind close has all its events run', async () => {
    const { path, log } = await serve([Answers], { maxEvents: EVENTS });
    const ended = await run(
      path,
      `for (let event = 0; event < ${EVENTS}; event += 1) client.emit('noted', String(event).padEnd(${EVENT_BYTES}, '.'));
       await client.close();
       process.exit(0);`,
    );
    expect(ended).toEqual({ code: 0, stdout: '', stderr: '' });
    await until(() => seen.length === EVENTS, 'all events ran');
    expect(seen.map((event) => Number.parseInt(event))).toEqual(
      Array.from({ length: EVENTS }, (_, index) => index),
    );
    expect(log.troubles).toEqual([]);
  });

  it('is not warned of a leak where one AbortSignal serves many calls', async () => {
    const { path } = await serve([Answers]);
    const ended = await run(
      path,
      `const abort = new AbortController();
       const record = new uds.UdsRecordBuilder(1).setSignal(abort.signal).build();
       const calls = Array.from({ length: 20 }, () => lastValueFrom(client.send('never', record)));
       const results = Promise.allSettled(calls);
       abort.abort();
       for (const { reason } of await results) console.log(reason.code);
       await client.close();`,
    );
    expect(ended).toEqual({ code: 0, stdout: 'CALL_ABORTED\n'.repeat(20), stderr: '' });
  });
});
