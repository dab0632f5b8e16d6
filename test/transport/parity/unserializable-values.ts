/** An object that holds itself. */
function cycle(): object {
  const all: { self?: unknown } = {};
  all.self = all;
  return all;
}

/** It tells nobody its keys. */
const keyless = (): object =>
  new Proxy(
    {},
    {
      ownKeys() {
        throw new Error('no keys for you');
      },
    },
  );

const withGetter = (): object => ({
  get price(): number {
    throw new Error('no price');
  },
});

const withToJSON = (): object => ({
  toJSON(): unknown {
    throw new Error('no text');
  },
});

/** What JSON.stringify refuses with an error: its name, the value, and the error, by its first line. */
export const refused: readonly (readonly [string, () => unknown, string])[] = [
  ['a BigInt', () => 1n, 'TypeError: Do not know how to serialize a BigInt'],
  [
    'an object with a BigInt inside',
    () => ({ a: [{ b: 1n }] }),
    'TypeError: Do not know how to serialize a BigInt',
  ],
  ['a circular object', cycle, 'TypeError: Converting circular structure to JSON'],
  ['an object whose `toJSON()` throws', withToJSON, 'Error: no text'],
  ['an object with a getter that throws', withGetter, 'Error: no price'],
  ['a Proxy whose `ownKeys` trap throws', keyless, 'Error: no keys for you'],
];

/** What JSON.stringify makes nothing of, as it does of undefined. */
export const passedOver: readonly (readonly [string, () => unknown])[] = [
  ['a function', () => () => 1],
  ['a symbol', () => Symbol('it')],
  ['an object whose `toJSON()` returns undefined', () => ({ toJSON: () => undefined })],
];

/** A Proxy of which not one property can be read. */
export const unreadable = (): object =>
  new Proxy(
    {},
    {
      get() {
        throw new Error('nothing to read');
      },
    },
  );
