import { faults, group } from './group.mjs';

const rowOf = (name, row, entries) =>
  faults(entries.map((entry) => ({ ...entry, spec: `test/faults/${name}.spec.ts`, row })));

/**
 * Each limit of a server, with the row of the table of faults that turns red without it; then those that no row is about. What one
 * begins with, behind `limit: `, is the option, where it is one: `npm run test:mutants` holds that each has an edit.
 */
export const limits = [
  ...rowOf('deaf-readers', 'a reader that never reads, 10,000 requests, in each dialect', [
    {
      says: 'limit: slowReaderTimeoutMs',
      file: 'src/net/read-gate.ts',
      from: '      else this.owner.tooSlow(standstill(slowReaderTimeoutMs));\n',
      to: '      else if (takenBefore < 0) this.owner.tooSlow(standstill(slowReaderTimeoutMs));\n',
    },
    {
      says: 'limit: maxBufferedBytes, the mark above which a connection is not read on',
      file: 'src/net/read-gate.ts',
      from: 'if (!dialect.mayStopReading) this.#isBacklogged = true;',
      to: 'if (!dialect.mayStopReading) this.#isBacklogged = maxBufferedBytes < 0;',
    },
  ]),
  ...rowOf('half-frames', 'half a frame, then silence; one byte a second', [
    {
      says: 'limit: helloTimeoutMs',
      file: 'src/net/hello-timer.ts',
      from: '}, this.helloTimeoutMs).unref();',
      to: '}, 600_000).unref();',
    },
    {
      says: 'limit: partialFrameTimeoutMs',
      file: 'src/net/frame-timer.ts',
      from: '    if (wasHeldUp || !this.owner.isReading() || !standsStill()) {',
      to: '    if (wasHeldUp || !this.owner.isReading() || standsStill()) {',
    },
  ]),
  ...rowOf(
    'announced-frames',
    '1,000 connections with a frame of the largest length announced and never sent',
    [
      {
        says: 'limit: maxTotalBufferedBytes, of frames that come',
        file: 'src/net/memory-budget.ts',
        from: 'if (!fits || !isNext) return false;',
        to: 'if (bytes < 0 && (!fits || !isNext)) return false;',
      },
    ],
  ),
  ...rowOf('flooding', 'one client floods, 20 others echo', [
    {
      says: 'limit: the turn of a reader',
      file: 'src/net/read-turn.ts',
      from: 'const TURN_MS = 0.3;\nconst LONE_TURN_MS = 8;',
      to: 'const TURN_MS = 10_000;\nconst LONE_TURN_MS = 10_000;',
    },
  ]),
  ...rowOf('frame-storm', 'a storm of CANCELs, CREDITs, PINGs, HELLOs, reused ids, unknown types', [
    {
      says: 'limit: maxTotalBufferedBytes, of calls under way',
      file: 'src/net/memory-budget.ts',
      from: 'return this.#halfBytes - this.#usedBytes;',
      to: 'return this.#usedBytes < 0 ? 0 : Infinity;',
    },
    {
      says: 'limit: maxInFlight',
      file: 'src/protocol/incoming-calls.ts',
      from: 'if (this.areLimitsTold && this.#hasTooManyRequests) {',
      to: 'if (!this.areLimitsTold && this.#hasTooManyRequests) {',
    },
    {
      says: 'limit: maxInFlight, of what was cancelled and runs on',
      file: 'src/protocol/incoming-calls.ts',
      from: ' || this.#abandoned >= ABANDONED_FACTOR * maxInFlight',
      to: '',
    },
    {
      says: 'limit: maxEvents',
      file: 'src/protocol/incoming-calls.ts',
      from: 'if (this.areLimitsTold && this.#events.isSpent) throw',
      to: 'if (!this.areLimitsTold && this.#events.isSpent) throw',
    },
    {
      says: 'limit: maxMetadataBytes',
      file: 'src/protocol/call-errors.ts',
      from: 'metadataBytes <= maxMetadataBytes',
      to: 'metadataBytes >= 0',
    },
    {
      says: 'limit: maxFrameBytes in binary',
      file: 'src/protocol/frame-decoder.ts',
      from: 'if (length > this.maxFrameBytes) {',
      to: 'if (length < 0) {',
    },
    {
      says: 'limit: maxFrameBytes of a line of ndjson',
      file: 'src/protocol/line-decoder.ts',
      from: 'if (length <= this.maxLineBytes) return;',
      to: 'if (length >= 0) return;',
    },
    {
      says: 'limit: maxFrameBytes in nest-json',
      file: 'src/protocol/counted-text-decoder.ts',
      from: 'if (this.#units > this.maxUnits) {',
      to: 'if (this.#units < 0) {',
    },
    {
      says: 'limit: maxStreamBufferBytes',
      file: 'src/transport/uds.answer-stream.ts',
      from: 'if (this.#keptBytes > maxStreamBufferBytes)',
      to: 'if (this.#keptBytes < 0)',
    },
    {
      says: 'limit: the credit of a stream',
      file: 'src/protocol/incoming-calls.ts',
      from: 'return call.creditBytes > 0 &&',
      to: 'return call.creditBytes > -Infinity &&',
    },
    {
      says: 'limit: maxLogLinesPerCode',
      file: 'src/transport/uds.trouble-log.ts',
      from: 'if (window.lines < this.settings.maxLogLinesPerCode) {',
      to: 'if (window.lines >= 0) {',
    },
  ]),
  ...rowOf('connect-flood', 'a flood of connects past maxConnections and past the backlog', [
    {
      says: 'limit: maxConnections',
      file: 'src/net/endpoint.ts',
      from: '    this.server.maxConnections = settings.maxConnections;\n',
      to: '',
    },
    {
      says: 'limit: silentGraceMs, silent connections go first',
      file: 'src/net/connection-limit.ts',
      from: '    this.#isLooking = true;\n',
      to: '    if (this.#open.size > 0) return;\n    this.#isLooking = true;\n',
    },
  ]),
  ...group('test/protocol/session-limits.spec.ts', [
    {
      says: 'limit: maxMetadataBytes, of one call',
      file: 'src/protocol/call-errors.ts',
      from: 'metadataBytes <= maxMetadataBytes',
      to: 'metadataBytes >= 0',
      name: 'is refused for that call alone',
    },
  ]),
  ...group('test/net/path-lock.spec.ts', [
    {
      says: 'limit: lockTimeoutMs',
      file: 'src/net/path-lock.ts',
      from: 'const endsAtMs = performance.now() + timeoutMs;',
      to: 'const endsAtMs = performance.now() + 600_000;',
      name: 'is waited for no longer than asked',
    },
  ]),
  ...group('test/net/backlog.spec.ts', [
    {
      says: 'limit: backlog',
      file: 'src/net/socket-file.ts',
      from: 'server.listen({ path, backlog }',
      to: 'server.listen({ path, backlog: Math.max(backlog, 511) }',
      name: 'the system refuses others',
    },
  ]),
  ...group('test/net/backoff.spec.ts', [
    {
      says: 'limit: reconnectDelayMs',
      file: 'src/net/backoff.ts',
      from: 'settings.reconnectDelayMs * 2 ** attempt',
      to: 'settings.maxReconnectDelayMs',
      name: 'doubles its ceiling',
    },
    {
      says: 'limit: maxReconnectDelayMs',
      file: 'src/net/backoff.ts',
      from: 'Math.min(settings.maxReconnectDelayMs, ',
      to: 'Math.min(Infinity, ',
      name: 'up to the longest',
    },
  ]),
  ...group('test/net/socket-file.spec.ts', [
    {
      says: 'limit: probeTimeoutMs',
      file: 'src/net/endpoint.ts',
      from: 'this.settings, probeTimeoutMs, dialect)',
      to: 'this.settings, probeTimeoutMs + 600_000, dialect)',
      name: 'after probeTimeoutMs',
    },
  ]),
  ...group('test/net/socket-watch.spec.ts', [
    {
      says: 'limit: fileCheckIntervalMs',
      file: 'src/net/socket-watch.ts',
      from: '}, intervalMs).unref();',
      to: '}, intervalMs + 600_000).unref();',
      name: 'says so once',
    },
  ]),
  ...group('test/net/drain.spec.ts', [
    {
      says: 'limit: closeTimeoutMs',
      file: 'src/net/listener.ts',
      from: 'this.#cutLate(), closeTimeoutMs);',
      to: 'this.#cutLate(), closeTimeoutMs + 600_000);',
      name: 'is cut, said in one line',
    },
    {
      says: 'limit: silentDrainMs',
      file: 'src/net/listener.ts',
      from: 'this.#endSilent(), silentDrainMs);',
      to: 'this.#endSilent(), silentDrainMs + 600_000);',
      name: 'is ended after silentDrainMs',
    },
  ]),
  ...group('test/net/heartbeat.spec.ts', [
    {
      says: 'limit: heartbeatIntervalMs',
      file: 'src/net/heartbeat.ts',
      from: 'const dueMs = this.#heardAtMs + this.settings.heartbeatIntervalMs;',
      to: 'const dueMs = this.#heardAtMs + 600_000;',
      name: 'is asked by a server',
    },
    {
      says: 'limit: heartbeatTimeoutMs',
      file: 'src/net/heartbeat.ts',
      from: 'heartbeatTimeoutMs), heartbeatTimeoutMs).unref();',
      to: 'heartbeatTimeoutMs), 600_000).unref();',
      name: 'is left by a client',
    },
  ]),
  ...group('test/transport/trouble-log.spec.ts', [
    {
      says: 'limit: logWindowMs',
      file: 'src/transport/uds.trouble-log.ts',
      from: 'this.#end(code), this.settings.logWindowMs).unref();',
      to: 'this.#end(code), 600_000).unref();',
      name: 'in one line when the window ends',
    },
  ]),
];
