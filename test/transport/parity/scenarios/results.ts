import { Readable } from 'node:stream';
import { lastValueFrom, of, tap } from 'rxjs';
import { Gate, until } from '../../../support/wait.js';
import { ask, asked, given } from '../asked.js';
import type { Kit } from '../kit.js';
import { equal, exception, type Row, type Scenario } from '../row.js';
import { completes, type Trace } from '../trace.js';
import { boot, served } from '../world.js';

/** What streams here, and over TCP is one value: what JSON makes of the thing that could be read. */
const streamed = (says: string, give: () => unknown, sees: { tcp: Trace; uds: Trace }): Row =>
  exception(says, served(asked(give), ask), {
    tcp: { says: 'is one value: what `JSON.stringify` makes of the object', sees: sees.tcp },
    uds: { says: 'streams its values', sees: sees.uds },
    because:
      'Whoever returns a stream wants its values sent; what `JSON.stringify` makes of it is of use to nobody.',
  });

async function* inTwo(): AsyncGenerator<string> {
  yield 'one';
  yield 'two';
}

function* inOne(): Generator<string, string> {
  yield 'one';
  return 'the result';
}

/** As little of a Readable as is needed: what JSON makes of a whole one differs from Node to Node. */
function readable(): Readable {
  return Object.assign(Readable.from(['one', 'two']), { toJSON: () => 'a Readable' });
}

/** Makes three calls and has them answered from the last to the first. */
async function answerBackwards(kit: Kit): Promise<unknown> {
  const names = ['first', 'second', 'third'];
  const gates = new Map(names.map((name) => [name, new Gate()]));
  const run: unknown[] = [];
  const came: unknown[] = [];
  const wait = async (name: unknown): Promise<unknown> => {
    run.push(name);
    await gates.get(String(name))?.opened;
    return name;
  };
  const { client } = await boot(kit, asked(wait));
  const calls = names.map((name) => lastValueFrom(client.send('ask', name).pipe(tap((it) => came.push(it)))));
  await until(() => run.length === 3, 'the handler was run for each call');
  for (const [index, name] of [...names].reverse().entries()) {
    gates.get(name)?.open();
    await until(() => came.length === index + 1, `the answer of the ${name} call came`);
  }
  await Promise.all(calls);
  return { run, came };
}

export const results: Scenario = {
  title: 'What a handler returns',
  rows: [
    given('a handler that returns a value', () => 'yes', completes('yes')),
    given('a handler that returns a promise of a value', async () => 'yes', completes('yes')),
    given(
      'a handler that returns an object with a `then`',
      () => ({ then: (give: (value: unknown) => void) => give('yes') }),
      completes('yes'),
    ),
    given('a handler that returns null', () => null, completes(null)),
    given(
      'a handler that returns undefined: the call completes without a value',
      () => undefined,
      completes(),
    ),
    given(
      'a handler that returns a promise of undefined: the call completes without a value',
      async () => undefined,
      completes(),
    ),
    given('a handler that returns an array: it is one value', () => [1, 2], completes([1, 2])),
    given(
      'a handler that returns a Set: it is one value, as JSON writes it',
      () => new Set([1, 2]),
      completes({}),
    ),
    equal('calls that finish out of order: each answer comes as soon as it is ready', answerBackwards, {
      run: ['first', 'second', 'third'],
      came: ['third', 'second', 'first'],
    }),
    streamed('a handler that returns an async generator', inTwo, {
      tcp: completes({}),
      uds: completes('one', 'two'),
    }),
    streamed('a handler that returns a promise of an async generator', async () => inTwo(), {
      tcp: completes({}),
      uds: completes('one', 'two'),
    }),
    streamed('a handler that returns a generator', inOne, { tcp: completes({}), uds: completes('one') }),
    streamed('a handler that returns an async iterable', () => ({ a: 1, [Symbol.asyncIterator]: inTwo }), {
      tcp: completes({ a: 1 }),
      uds: completes('one', 'two'),
    }),
    streamed('a handler that returns a Node `Readable`', readable, {
      tcp: completes('a Readable'),
      uds: completes('one', 'two'),
    }),
    streamed(
      'a handler that returns an Observable that emits an async generator',
      () => of('before', inTwo(), 'behind'),
      {
        tcp: completes('before', {}, 'behind'),
        uds: completes('before', 'one', 'two', 'behind'),
      },
    ),
  ],
};
