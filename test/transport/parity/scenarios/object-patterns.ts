import { ask } from '../calls.js';
import { reached, reaches } from '../reach.js';
import { equal, exception, type Row, type Scenario } from '../row.js';
import { fails } from '../trace.js';
import { served } from '../world.js';

const KEYS = Array.from({ length: 21 }, (_, index) => [`key${index}`, index]);
const MANY_KEYS: unknown = Object.fromEntries(KEYS);
const OTHER_KEYS: unknown = Object.fromEntries([...KEYS, ['more', 1]]);
const deep = (bottom: number): object => ({ a: { b: { c: { d: { e: { f: { bottom } } } } } } });
const DATE = new Date(0);

const rows: readonly Row[] = [
  reaches('an object as the pattern', {
    handler: { cmd: 'sum', version: 1 },
    message: '{"cmd":"sum","version":1}',
  }),
  reaches('an object pattern called with its keys in another order', {
    handler: { a: 1, b: { c: 2, d: 3 } },
    called: { b: { d: 3, c: 2 }, a: 1 },
    message: '{"b":{"d":3,"c":2},"a":1}',
    event: '{"a":1,"b":{"c":2,"d":3}}',
  }),
  reaches('an object pattern called by its JSON string', {
    handler: { a: 1, b: 'x' },
    called: '{ "b": "x", "a": 1 }',
    message: '{ "b": "x", "a": 1 }',
  }),
  reaches('an object pattern with arrays, booleans and null', {
    handler: { on: true, off: null, list: ['x', { y: 2 }] },
    message: '{"on":true,"off":null,"list":["x",{"y":2}]}',
    event: '{"list":{"0":"x","1":{"y":2}},"off":null,"on":true}',
  }),
  reaches('an object pattern with quotes and lone surrogates', {
    handler: { a: '"\\\ud800' },
    message: '{"a":"\\"\\\\\\ud800"}',
    event: '{"a":"\\"\\\\\ud800"}',
  }),
  reaches("`{ a: 1 }` does not reach `{ a: '1' }`", {
    handler: { a: '1' },
    called: { a: 1 },
    message: 'nobody',
  }),
  reaches('an object pattern with an undefined property at both ends: only events arrive', {
    handler: { cmd: 'sum', version: undefined },
    message: 'nobody',
    event: '{"cmd":"sum","version":undefined}',
  }),
  reaches('an object pattern with an undefined property at the caller: only messages arrive', {
    handler: { cmd: 'sum' },
    called: { cmd: 'sum', version: undefined },
    message: '{"cmd":"sum"}',
    event: 'nobody',
  }),
  reaches("the array `['a', 'b']` reaches `{ 0: 'a', 1: 'b' }`", {
    handler: { 0: 'a', 1: 'b' },
    called: ['a', 'b'],
    message: '["a","b"]',
    event: '{"0":"a","1":"b"}',
  }),
  equal(
    'a Date as the pattern: its ISO text for a message, `{}` for an event',
    reached([DATE.toJSON(), {}], DATE),
    {
      message: '1970-01-01T00:00:00.000Z',
      event: '{}',
    },
  ),
  reaches('object patterns that differ only below level 6 are one pattern', {
    handler: deep(1),
    called: deep(2),
    message: JSON.stringify(deep(2)),
    event: '{"a":{"b":{"c":{"d":{"e":{"f":[MAX_DEPTH_REACHED]}}}}}}',
  }),
  reaches('object patterns that have more than 20 keys are one pattern', {
    handler: MANY_KEYS,
    called: OTHER_KEYS,
    message: JSON.stringify(OTHER_KEYS),
    event: '[TOO_MANY_KEYS]',
  }),
  ...[null, undefined].map((pattern) =>
    equal(
      `${String(pattern)} in place of a pattern`,
      served({ controllers: [] }, (world) => ask(world, pattern)),
      fails('Error: The invalid data or message pattern (undefined/null)'),
    ),
  ),
  exception(
    'a BigInt in place of a pattern',
    served({ controllers: [] }, (world) => ask(world, 1n)),
    {
      tcp: {
        says: 'fails with a TypeError',
        sees: fails('TypeError: Do not know how to serialize a BigInt'),
      },
      uds: { says: 'fails with INVALID_PATTERN', sees: fails('UsageError INVALID_PATTERN') },
      because: 'Our own refusals have codes.',
    },
  ),
  exception(
    'a function in place of a pattern',
    served({ controllers: [] }, (world) => ask(world, () => 'x')),
    {
      tcp: {
        says: 'is sent without a pattern, and fails as one that nobody handles',
        sees: fails('There is no matching message handler defined in the remote service.'),
      },
      uds: { says: 'fails with INVALID_PATTERN, at the caller', sees: fails('UsageError INVALID_PATTERN') },
      because: 'The mistake is told where it was made.',
    },
  ),
];

export const objectPatterns: Scenario = { title: 'Patterns that are not strings', rows };
