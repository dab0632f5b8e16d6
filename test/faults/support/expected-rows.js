/** For `npm run test:soak`, in a file *.soak.spec.ts. */
const long = (fault) => ({ fault, isLong: true });

/**
 * The faults that must have a row, in the order of the table. The first half of the test's name, word for word.
 * Those that are not long take less than three minutes together, and are a part of `npm test`.
 */
const ROWS = [
  'kill -9 the server under 1,000 calls in flight, restart, 20 rounds',
  long('20 rolling restarts under steady load (two clients, 64 in flight each, events too)'),
  long('takeover under a loop of fresh clients: 5,000, each HELLO and one echo, client retries switched off'),
  long('8 servers started at once on a stale path, 50 rounds, with random kills in half of them'),
  'kill -9 a client with 1,000 calls and 100 streams running',
  'SIGSTOP the server, then SIGCONT; a 3 s busy loop in the server; one in the client',
  "the socket file is deleted while serving; replaced by somebody else's",
  'ids wrap at 2^32 under load',
  'a server that accepts and never answers HELLO',
  'a reader that never reads, 10,000 requests, in each dialect',
  '64 echoes of 1 MiB both ways at once; 512 of 16 KiB; on one connection',
  'half a frame, then silence; one byte a second',
  '1,000 connections with a frame of the largest length announced and never sent',
  'a flood of connects past maxConnections and past the backlog',
  'out of file descriptors (`prlimit`)',
  'disk full, read-only directory, no permission (as another uid)',
  'one client floods, 20 others echo',
  'a storm of CANCELs, CREDITs, PINGs, HELLOs, reused ids, unknown types',
  long(
    'random and mutated bytes in every dialect, at least 5 million of them over at least 20,000 connections, seeds printed',
  ),
  long('a day of life at high speed in five minutes: connects, calls, cancels, drops, restarts'),
];

/** @param which 'all', 'short' or 'long' */
export function expectedRows(which) {
  const rows = ROWS.map((row) => (typeof row === 'string' ? { fault: row, isLong: false } : row));
  return rows
    .filter(({ isLong }) => which === 'all' || isLong === (which === 'long'))
    .map(({ fault }) => fault);
}
