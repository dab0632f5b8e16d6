import { type ArgumentsHost, Catch, type ExceptionFilter } from '@nestjs/common';
import { RpcException } from '@nestjs/microservices';
import { concat, from, lastValueFrom, mergeMap, type Observable, of, throwError, toArray } from 'rxjs';
import { Gate } from '../../../support/wait.js';
import { askAndLook, asked, askOrWait, inTurns, UNKNOWN_ERROR } from '../asked.js';
import type { Kit } from '../kit.js';
import { equal, exception, type Row, type Scenario } from '../row.js';
import { completes, fails, type Trace, waits } from '../trace.js';
import { passedOver, refused, unreadable } from '../unserializable-values.js';
import { type Application, boot, served } from '../world.js';

const BIGINT = 'Do not know how to serialize a BigInt';

interface OverTcp {
  readonly says: string;
  readonly sees: Trace;
  readonly log: readonly string[];
}

/** What ends with one code and one line of log here, after some values. */
const coded = (
  says: string,
  app: Application,
  { says: theirs, sees, log }: OverTcp,
  ...before: unknown[]
): Row =>
  exception(says, served(app, sees.end === 'waits' ? askOrWait : askAndLook), {
    tcp: { says: theirs, sees: { ...sees, log } },
    uds: {
      says: 'fails with UNSERIALIZABLE_ANSWER; the server logs one line',
      sees: { ...fails('RemoteError UNSERIALIZABLE_ANSWER', ...before), log: ['UNSERIALIZABLE_ANSWER'] },
    },
    because:
      'A caller that is told can go on; one that waits for ever, or lacks a value and does not know, cannot.',
  });

/** An application whose errors all become another one. */
function failingWith(error: unknown): Application {
  @Catch()
  class Filter implements ExceptionFilter {
    catch(_exception: unknown, _host: ArgumentsHost): Observable<never> {
      return throwError(() => error);
    }
  }
  return {
    ...asked(() => Promise.reject(new Error('no stock'))),
    prepare: (app) => app.useGlobalFilters(new Filter()),
  };
}

const answers = refused.map(([says, make, complaint]) =>
  coded(`${says}, as the answer`, asked(make), {
    says: 'waits for ever',
    sees: waits(),
    log: [complaint.replace(/^\w+: /, '')],
  }),
);

const nothings = passedOver.map(([says, make]) =>
  coded(`${says}, as the answer`, asked(make), {
    says: 'completes without a value',
    sees: completes(),
    log: [],
  }),
);

/** A stream and, in the middle of it, an answer that can't be written. */
async function besideAStream(kit: Kit): Promise<unknown> {
  const middle = new Gate();
  const stream = concat(of(1, 2), from(middle.opened).pipe(mergeMap(() => of(3, 4))));
  const world = await boot(
    kit,
    asked((what) => (what === 'stream' ? stream : 1n)),
  );
  const values = lastValueFrom(world.client.send('ask', 'stream').pipe(toArray()));
  await askOrWait(world);
  middle.open();
  return await values;
}

const streams: Row[] = [
  coded(
    'a BigInt among the values of an Observable',
    asked(() => of(1, 2n, 3)),
    { says: 'leaves it out', sees: completes(1, 3), log: [BIGINT] },
    1,
  ),
  coded(
    'a BigInt among the values of an Observable, each in a turn of its own',
    asked(() => inTurns(1, 2n, 3)),
    { says: 'leaves it out', sees: completes(1, 3), log: [BIGINT] },
    1,
  ),
  coded(
    'a BigInt as the last value of an Observable',
    asked(() => of(1, 2n)),
    { says: 'waits for ever', sees: waits(1), log: [BIGINT] },
    1,
  ),
  coded(
    'a function among the values of an Observable',
    asked(() => of(1, () => 2, 3)),
    { says: 'gives undefined in its place', sees: completes(1, undefined, 3), log: [] },
    1,
  ),
  equal(
    "an answer that cannot be written does not disturb another call's stream",
    besideAStream,
    [1, 2, 3, 4],
  ),
];

const errors: Row[] = [
  coded(
    'an RpcException with a BigInt',
    asked(() => Promise.reject(new RpcException({ left: 1n }))),
    {
      says: 'waits for ever',
      sees: waits(),
      log: [BIGINT],
    },
  ),
  coded(
    'an RpcException with a BigInt, after a value of an Observable',
    asked(() =>
      concat(
        of(1),
        throwError(() => new RpcException({ left: 1n })),
      ),
    ),
    { says: 'waits for ever', sees: waits(1), log: [BIGINT] },
    1,
  ),
  coded(
    'a filter that returns `throwError` of a function',
    failingWith(() => 1),
    {
      says: 'completes without a value',
      sees: completes(),
      log: [],
    },
  ),
  equal(
    'a Proxy whose `get` trap throws, as the answer: Nest takes it for a failure',
    served(asked(unreadable), askAndLook),
    { ...fails(UNKNOWN_ERROR), log: ['nothing to read'] },
  ),
  exception(
    'a handler that throws a Proxy whose `get` trap throws',
    served(
      asked(() => Promise.reject(unreadable())),
      askOrWait,
    ),
    {
      tcp: { says: 'waits for ever', sees: { ...waits(), log: ['nothing to read'] } },
      uds: {
        says: 'fails with HANDLER_FAILED',
        sees: { ...fails('RemoteError HANDLER_FAILED'), log: ['nothing to read'] },
      },
      because: 'Every call ends, whatever its handler throws.',
    },
  ),
];

export const unserializable: Scenario = {
  title: 'Answers that JSON cannot hold',
  rows: [...answers, ...nothings, ...streams, ...errors],
};
