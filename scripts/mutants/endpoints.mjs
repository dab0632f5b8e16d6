import { group } from './group.mjs';

/** Where a server is reached. */
export const endpoints = [
  ...group('test/transport/endpoints.spec.ts', [
    {
      says: 'a server that can not have all its endpoints takes away those it has',
      keeps: 'A server listens on all of its endpoints, or on none.',
      file: 'src/net/listener.ts',
      from: '      await Promise.all(bound.map(async (endpoint) => await endpoint.withdraw()));\n',
      to: '',
      name: 'where one of the endpoints can not be had',
    },
    {
      says: 'who came to an endpoint before all were had is sent away',
      file: 'src/net/listener.ts',
      from: '      this.#cut();\n      throw error;',
      to: '      throw error;',
      name: 'are sent away',
    },
    {
      says: 'an endpoint has its own mode',
      file: 'src/transport/uds.endpoints.ts',
      from: '`${name}.mode`, given.mode) ?? mode,',
      to: '`${name}.mode`, undefined) ?? mode,',
      name: 'their own mode',
    },
    {
      says: 'connections are counted by endpoint',
      file: 'src/net/listener.ts',
      from: '      open.set(endpoint, (open.get(endpoint) ?? 0) + 1);\n',
      to: '',
      name: 'are counted each',
    },
    {
      says: 'a raw endpoint is asked nothing but whether it is there',
      file: 'src/net/endpoint.ts',
      from: 'pattern === undefined ? undefined : new RawClientDialect()',
      to: 'pattern === undefined ? undefined : undefined',
      name: 'calls nobody',
    },
    {
      says: 'server.on hears of every endpoint',
      file: 'src/transport/uds.events.ts',
      from: 'for (const server of servers) attach(server, subscription);',
      to: 'for (const server of servers.slice(0, 1)) attach(server, subscription);',
      name: 'tell server.on',
    },
  ]),
  ...group('test/transport/endpoint-options.spec.ts', [
    {
      says: 'one path is not given to two endpoints, however it is written',
      file: 'src/transport/uds.endpoints.ts',
      from: 'places.map((place) => resolve(place.path))',
      to: 'places.map((place) => place.path)',
      name: 'written as relative',
    },
    {
      says: 'raw stands alone',
      file: 'src/transport/uds.endpoints.ts',
      from: 'if (isRaw && dialects.length > 1) {',
      to: 'if (isRaw && dialects.length > 4) {',
      name: 'raw is beside others',
    },
  ]),
];
