import { describe, expect, it } from '@jest/globals';
import { relative } from 'node:path';
import { UdsServer, type UdsServerOptions, UsageError } from '../../src/index.js';
import { resolveServerOptions } from '../../src/transport/uds.options.js';

const path = '/run/app/app.sock';
const ALL = ['binary', 'ndjson', 'nest-json'];

/** As a caller without types may give them. */
const make = (options: object): UdsServer => new UdsServer(options as UdsServerOptions);
const endpointsOf = (endpoints: unknown, options: object = {}): unknown =>
  resolveServerOptions({ ...options, endpoints } as UdsServerOptions).endpoints;

const refused = (code: string, message: RegExp): unknown =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });

describe('endpoints', () => {
  it('are what path is short for', () => {
    const short = resolveServerOptions({ path, mode: 0o660 }).endpoints;
    expect(short).toEqual([{ path, mode: 0o660, dialects: ALL }]);
    expect(endpointsOf([{ path }], { mode: 0o660 })).toEqual(short);
  });

  it('have each their own mode and dialects, or those of the server', () => {
    const endpoints = [
      { path },
      { path: '/run/b', mode: 0, dialects: ['ndjson'] },
      { path: '/run/c', dialects: ['raw'], pattern: { cmd: 'x' } },
    ];
    expect(endpointsOf(endpoints, { mode: 0o640 })).toEqual([
      { path, mode: 0o640, dialects: ALL },
      { path: '/run/b', mode: 0, dialects: ['ndjson'] },
      { path: '/run/c', mode: 0o640, dialects: ['raw'], pattern: '{"cmd":"x"}' },
    ]);
    expect(endpointsOf([{ path }])).toMatchObject([{ mode: 0o600 }]);
  });

  it('may name a dialect twice', () => {
    expect(endpointsOf([{ path, dialects: ['ndjson', 'binary', 'ndjson'] }])).toMatchObject([
      { dialects: ['ndjson', 'binary'] },
    ]);
  });

  it('of a bare number have its text as their pattern', () => {
    expect(endpointsOf([{ path, dialects: ['raw'], pattern: 7 }])).toMatchObject([{ pattern: '7' }]);
  });
});

describe('the places of a server are refused where', () => {
  it.each<[string, object, RegExp]>([
    ['there is none', {}, /path/],
    ['there are path and endpoints', { path, endpoints: [{ path }] }, /path and endpoints/],
    ['there are path and an empty array', { path, endpoints: [] }, /path and endpoints/],
    ['endpoints are an empty array', { endpoints: [] }, /endpoints must be an array of at least one/],
    ['endpoints are one endpoint', { endpoints: { path } }, /endpoints must be an array.*an object/],
    ['endpoints are a path', { endpoints: path }, /endpoints must be an array.*"\/run\/app\/app\.sock"/],
    ['endpoints are null', { endpoints: null }, /endpoints must be an array.*null/],
    ['two have one path', { endpoints: [{ path }, { path: '/b' }, { path }] }, /Two .*\/run\/app\/app\.sock/],
    [
      'two have one path, one of them written as relative',
      { endpoints: [{ path }, { path: relative(process.cwd(), path) }] },
      /Two .*\/run\/app\/app\.sock/,
    ],
    [
      'two have one path, written with a dot',
      { endpoints: [{ path }, { path: '/run/./app/app.sock' }] },
      /Two /,
    ],
  ])('%s', (_where, options, message) => {
    expect(() => make(options)).toThrow(UsageError);
    expect(() => make(options)).toThrow(refused('INVALID_OPTION', message));
  });
});

describe('an endpoint is refused by its place in the list where', () => {
  it.each<[string, unknown, RegExp]>([
    ['it is a path', path, /endpoints\[1\] must be an object with a path/],
    ['it is null', null, /endpoints\[1\] must be an object.*null/],
    ['it is an array', [path], /endpoints\[1\] must be an object/],
    ['it has no path', {}, /endpoints\[1\]\.path/],
    ['its path is empty', { path: '' }, /endpoints\[1\]\.path/],
    ['its path is a number', { path: 3000 }, /endpoints\[1\]\.path/],
    ['its path has a zero byte', { path: 'a\0b' }, /endpoints\[1\]\.path/],
    [
      'it has an option that nobody knows',
      { path, port: 1, modes: 2 },
      /endpoints\[1\].*port, modes.*dialects/,
    ],
    ['it has an option of the server', { path, maxConnections: 7 }, /endpoints\[1\].*maxConnections/],
    ['its mode is too high', { path, mode: 0o1777 }, /endpoints\[1\]\.mode.*0o777/],
    ['its mode is below zero', { path, mode: -1 }, /endpoints\[1\]\.mode/],
    ['its mode is text', { path, mode: '0660' }, /endpoints\[1\]\.mode/],
    ['its mode is null', { path, mode: null }, /endpoints\[1\]\.mode/],
    [
      'it has no dialects',
      { path, dialects: [] },
      /endpoints\[1\]\.dialects.*binary, ndjson, nest-json, raw/,
    ],
    ['its dialects are text', { path, dialects: 'ndjson' }, /endpoints\[1\]\.dialects.*"ndjson"/],
    ['its dialects are null', { path, dialects: null }, /endpoints\[1\]\.dialects.*null/],
    ['it has an unknown dialect', { path, dialects: ['binary', 'json'] }, /endpoints\[1\]\.dialects/],
    ['a dialect is no text', { path, dialects: [0] }, /endpoints\[1\]\.dialects/],
    [
      'raw is beside others',
      { path, dialects: ['raw', 'ndjson'], pattern: 'x' },
      /\[1\]\.dialects has raw beside/,
    ],
    ['raw has no pattern', { path, dialects: ['raw'] }, /endpoints\[1\]\.pattern is missing/],
    ['a pattern is given without raw', { path, pattern: 'x' }, /endpoints\[1\]\.pattern is given/],
    ['a pattern is given to ndjson', { path, dialects: ['ndjson'], pattern: 'x' }, /\[1\]\.pattern is given/],
  ])('%s', (_where, endpoint, message) => {
    const options = { endpoints: [{ path: '/run/app/first.sock' }, endpoint] };
    expect(() => make(options)).toThrow(refused('INVALID_OPTION', message));
  });

  it.each([[() => 1], [Symbol('x')], [1n], [{ big: 1n }], [null], ['']])(
    'its pattern has no text: %p',
    (pattern) => {
      const options = { endpoints: [{ path, dialects: ['raw'], pattern }] };
      expect(() => make(options)).toThrow(
        refused('INVALID_OPTION', /endpoints\[0\]\.pattern must be a pattern/),
      );
    },
  );
});

it('the types take one of path and endpoints, and dialects that there are', () => {
  const good: UdsServerOptions[] = [{ path }, { endpoints: [{ path, mode: 0o660, dialects: ['ndjson'] }] }];
  const bad: UdsServerOptions[] = [
    // @ts-expect-error -- path and endpoints at once
    { path, endpoints: [{ path }] },
    // @ts-expect-error -- neither path nor endpoints
    {},
    // @ts-expect-error -- no such dialect
    { endpoints: [{ path, dialects: ['json'] }] },
    // @ts-expect-error -- no such option of an endpoint
    { endpoints: [{ path, maxConnections: 1 }] },
    // @ts-expect-error -- an endpoint without a path
    { endpoints: [{ mode: 0o660 }] },
  ];
  for (const options of good) expect(() => new UdsServer(options)).not.toThrow();
  for (const options of bad) expect(() => new UdsServer(options)).toThrow(UsageError);
});
