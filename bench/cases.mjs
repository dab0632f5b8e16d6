// What is measured. `peers` are the names of files in peers/; those of a case take turns.

const OURS = ['nest-uds', 'floor'];
const NEST = ['nest-tcp', 'nest-tcp-path'];
const OTHERS = ['grpc', 'fastify', 'zeromq'];
const LIMITS = ['net', 'native'];
const ALL = [...OURS, ...NEST, ...OTHERS, ...LIMITS];

const echo = (id, payload, inFlight, more = {}) => ({
  id,
  kind: 'echo',
  payload,
  inFlight,
  connections: 1,
  durationMs: 400,
  peers: ALL,
  ...more,
});

/** One call at a time: many short turns, since what the machine does meanwhile moves such figures most. */
const alone = (id, payload, more) => echo(id, payload, 1, { maxCalls: 400, turns: 5, ...more });

const large = { durationMs: 1000, peers: [...OURS, ...NEST, ...OTHERS, ...LIMITS] };

export const CASES = [
  alone('64B-1', 's64', { isQuick: true, quickPeers: ['nest-uds', 'nest-tcp', 'net'], quick: { turns: 2 } }),
  echo('64B-64', 's64', 64, { isQuick: true, quickPeers: ['nest-uds', ...NEST, 'fastify', 'zeromq'] }),
  echo('64B-1024', 's64', 1024, { isQuick: true, quickPeers: ['nest-uds', ...NEST] }),
  echo('64B-1024-16c', 's64', 1024, { connections: 16 }),
  echo('64B-1024-256c', 's64', 1024, { connections: 256, peers: [...OURS, ...NEST, ...LIMITS] }),
  alone('1KiB-1', 'o1k', {}),
  echo('1KiB-64', 'o1k', 64, { isQuick: true, quickPeers: ['nest-uds', ...NEST] }),
  echo('1KiB-1024', 'o1k', 1024),
  echo('64KiB-1', 's64k', 1, large),
  echo('64KiB-4', 's64k', 4, { ...large, isQuick: true, quickPeers: ['nest-uds', 'nest-tcp-path'] }),
  echo('64KiB-object-4', 'o64k', 4, large),
  echo('1MiB-2', 'b1m', 2, large),
  echo('1MiB-8', 'b1m', 8, large),
  {
    id: 'stream',
    kind: 'stream',
    items: 100_000,
    inFlight: 1,
    connections: 1,
    peers: ['nest-uds', ...NEST],
    isQuick: true,
    quickPeers: ['nest-uds', 'nest-tcp'],
    quick: { items: 20_000 },
  },
  {
    id: 'idle',
    kind: 'idle',
    idle: 10_000,
    payload: 's64',
    inFlight: 64,
    connections: 1,
    durationMs: 500,
    peers: ['nest-uds', 'floor', 'net'],
  },
  {
    id: 'start-sidecar',
    kind: 'start',
    inFlight: 0,
    connections: 0,
    peers: ['sidecar', 'bare-microservice'],
  },
  { id: 'start-cli', kind: 'start', inFlight: 0, connections: 0, peers: ['cli', 'bare-node'] },
];
