import { describe, expect, it } from '@jest/globals';
import {
  OPTION_TABLE,
  type OptionRow,
  UdsClient,
  UdsServer,
  udsServer,
  UsageError,
} from '../../src/index.js';
import { resolveClientOptions, resolveServerOptions } from '../../src/transport/uds.options.js';

const path = '/run/app.sock';

const make = {
  server: (options: object): unknown => new UdsServer({ path, ...options }),
  client: (options: object): unknown => new UdsClient({ path, ...options }),
};

const sides = ['server', 'client'] as const;
const rowsOf = (side: string): (typeof OPTION_TABLE)[number][] =>
  OPTION_TABLE.filter((row) => row.side === side || row.side === 'both');
const rows = sides.flatMap((side) => rowsOf(side).map((row) => ({ side, row, name: row.name })));

const invalid = (...parts: string[]): unknown =>
  expect.objectContaining({
    code: 'INVALID_OPTION',
    message: expect.stringMatching(new RegExp(parts.join('.*'), 's')),
  });

/** Its limits as a person writes them, with their unit. */
function boundsOf({ unit, min, max }: OptionRow): string[] {
  if (unit === 'octal') return [`0o${min.toString(8)}`, `0o${max.toString(8)}`];
  return unit === 'bytes' || unit === 'ms'
    ? [`${min} ${unit}`, `${max} ${unit}`]
    : [String(min), String(max)];
}

describe.each(sides)('a %s', (side) => {
  it('refuses an option that it does not know, by name', () => {
    expect(() => make[side]({ maxFrames: 1, port: 3000 })).toThrow(
      invalid('maxFrames, port', 'maxFrameBytes'),
    );
    expect(() => make[side]({ maxFrames: 1 })).toThrow(UsageError);
  });

  it.each([[undefined], [''], [5], [null], ['a\0b'], [{}]])('refuses %p as its path', (bad) => {
    expect(() => make[side]({ path: bad })).toThrow(invalid('path'));
  });

  it.each([[5], [null], [{}]])('refuses %p as its name', (name) => {
    expect(() => make[side]({ name })).toThrow(invalid('name'));
  });
});

it('a server refuses an option of the client, and the other way round', () => {
  expect(() => make.server({ requestTimeoutMs: 1 })).toThrow(invalid('requestTimeoutMs'));
  expect(() => make.client({ mode: 0o600 })).toThrow(invalid('mode'));
});

it('options that are no object are refused for the path that they lack', () => {
  expect(() => new UdsServer(undefined as never)).toThrow(invalid('path'));
  expect(() => new UdsClient(null as never)).toThrow(invalid('path'));
  expect(() => udsServer({} as never)).toThrow(invalid('path'));
});

describe.each(rows)('option $name of the $side', ({ side, row }) => {
  it('takes its bounds and has a default', () => {
    for (const value of [row.min, row.max, undefined]) {
      expect(() => make[side]({ [row.name]: value })).not.toThrow();
    }
    const resolved = side === 'server' ? resolveServerOptions({ path }) : resolveClientOptions({ path });
    expect(resolved).toHaveProperty(row.name, row.default);
    if (row.default !== undefined) {
      expect(row.default).toBeGreaterThanOrEqual(row.min);
      expect(row.default).toBeLessThanOrEqual(row.max);
    }
  });

  it.each([[row.min - 1], [row.max + 1], [row.min + 0.5], [NaN], ['7'], [null], [{}], [true]])(
    'refuses %p, naming itself, its limits and its unit',
    (value) => {
      expect(() => make[side]({ [row.name]: value })).toThrow(invalid(row.name, ...boundsOf(row)));
    },
  );
});

it('what is given is used in place of the default', () => {
  const options = resolveServerOptions({ path, mode: 0o660, uid: 7, name: 'orders', maxInFlight: 99 });
  expect(options).toMatchObject({
    endpoints: [{ path, mode: 0o660, dialects: ['binary', 'ndjson', 'nest-json'] }],
    mode: 0o660,
    uid: 7,
    gid: undefined,
    name: 'orders',
    maxInFlight: 99,
  });
});
