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
    tcp: { says: 'is one value: what JSON makes of the object', sees: sees.tcp },
    uds: { says: 'streams its values', sees: sees.uds },
    because: 'Who gives something to be read wants it read; what JSON makes of it is of use to nobody.',
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
  title: 'What a handler gives',
  rows: [
    given('a value', () => 'yes', completes('yes')),
    given('a promise of a value', async () => 'yes', completes('yes')),
    given(
      'an object with a `then`',
      () => ({ then: (give: (value: unknown) => void) => give('yes') }),
      completes('yes'),
    ),
    given('null', () => null, completes(null)),
    given('undefined', () => undefined, completes()),
    given('a promise of undefined', async () => undefined, completes()),
    given('an array: it is one value', () => [1, 2], completes([1, 2])),
    given('a Set, or what else is iterable: it is one value', () => new Set([1, 2]), completes({})),
    equal('answers that are ready in another order than asked for: each comes at once', answerBackwards, {
      run: ['first', 'second', 'third'],
      came: ['third', 'second', 'first'],
    }),
    streamed('an async generator', inTwo, { tcp: completes({}), uds: completes('one', 'two') }),
    streamed('a promise of an async generator', async () => inTwo(), {
      tcp: completes({}),
      uds: completes('one', 'two'),
    }),
    streamed('a generator', inOne, { tcp: completes({}), uds: completes('one') }),
    streamed('an async iterable', () => ({ a: 1, [Symbol.asyncIterator]: inTwo }), {
      tcp: completes({ a: 1 }),
      uds: completes('one', 'two'),
    }),
    streamed('a Readable of Node', readable, {
      tcp: completes('a Readable'),
      uds: completes('one', 'two'),
    }),
    streamed('an Observable that emits an async generator', () => of('before', inTwo(), 'behind'), {
      tcp: completes('before', {}, 'behind'),
      uds: completes('before', 'one', 'two', 'behind'),
    }),
  ],
};
