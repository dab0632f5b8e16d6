import { echoed } from '../echo.js';
import type { Scenario } from '../row.js';

/** `toStrictEqual` knows nothing of the order of keys, and little of `__proto__`. */
const asText = (value: unknown): unknown => JSON.stringify(value);

const LARGE_OBJECT = Object.fromEntries(
  Array.from({ length: 10_000 }, (_, index) => [`key ${index}`, { index }]),
);

/** So many objects, one inside of the other. */
const nested = (depth: number): unknown => (depth === 0 ? 'core' : { in: nested(depth - 1) });

class Order {
  readonly #secret = 'hidden';
  constructor(readonly item: string) {}
  get length(): number {
    return this.item.length + this.#secret.length;
  }
}

class Money {
  constructor(readonly cents: number) {}
  toJSON(): unknown {
    return { euros: this.cents / 100 };
  }
}

/** A Proxy that tells everything but its class. */
const classless = new Proxy(
  { item: 'tea' },
  {
    getPrototypeOf(): never {
      throw new Error('no class for you');
    },
  },
);

const KEYS_TEXT = '{"b":1,"a":{"z":1,"y":2},"10":1,"9":2}';
const PROTO_TEXT = '{"__proto__":{"isAdmin":true},"constructor":1,"toString":2}';

export const objects: Scenario = {
  title: 'Objects',
  rows: [
    echoed('null in an object or array', [{ a: null }, [null]]),
    echoed('an empty object and an empty array', [{}, [], [[]], { a: {} }]),
    echoed('nested objects and arrays', [{ a: [1, { b: ['two', [true]] }], c: { d: {} } }]),
    echoed('a Proxy whose `getPrototypeOf` trap throws', [classless], [{ item: 'tea' }]),
    echoed('a property that is undefined: it is left out', [{ a: undefined, b: 1 }], [{ b: 1 }]),
    echoed(
      'undefined and holes in an array: they arrive as null',
      [[undefined, new Array(2)]],
      [[null, [null, null]]],
    ),
    echoed(
      'properties that are functions or symbols: they are left out',
      [{ a: () => 1, b: Symbol('b'), [Symbol('c')]: 1, d: [() => 1, Symbol('e')] }],
      [{ d: [null, null] }],
    ),
    echoed(
      "the order of an object's keys",
      [JSON.parse(KEYS_TEXT)],
      ['{"9":2,"10":1,"b":1,"a":{"z":1,"y":2}}'],
      asText,
    ),
    echoed(
      'an object with own keys `__proto__`, `constructor`, `toString`',
      [JSON.parse(PROTO_TEXT)],
      [PROTO_TEXT],
      asText,
    ),
    echoed('objects nested 1,000 deep', [nested(1000)], [JSON.stringify(nested(1000))], asText),
    echoed('an object of 10,000 keys', [LARGE_OBJECT]),
    echoed("an object that looks like Nest's own packets", [
      { pattern: 'echo', data: 1, id: '1' },
      { err: 'no', response: 1, isDisposed: true, status: 'error', id: '1' },
    ]),
    echoed(
      'a Date: it arrives as its ISO string',
      [new Date(0), { at: new Date(0) }],
      ['1970-01-01T00:00:00.000Z', { at: '1970-01-01T00:00:00.000Z' }],
    ),
    echoed(
      'a Map, a Set, a RegExp and an Error: they arrive as `{}`',
      [new Map([[1, 2]]), new Set([1]), /x/, new Error('x')],
      [{}, {}, {}, {}],
    ),
    echoed(
      'a class instance: only its own fields arrive',
      [new Order('tea'), [new Order('tea')]],
      [{ item: 'tea' }, [{ item: 'tea' }]],
    ),
    echoed(
      'an object with `toJSON()`',
      [new Money(250), [new Money(5)]],
      [{ euros: 2.5 }, [{ euros: 0.05 }]],
    ),
    echoed(
      'boxed primitives: they arrive as primitives',
      [Object('x'), Object(1), Object(false)],
      ['x', 1, false],
    ),
  ],
};
