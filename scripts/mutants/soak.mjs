import { faults } from './group.mjs';

const rowOf = (spec, row, entries) => faults(entries.map((entry) => ({ ...entry, spec, row })));

/** Rows of the fault suite, the long ones too, of what is no limit: those of the limits are in limits.mjs. */
export const soak = [
  ...rowOf(
    'test/faults/garbage.soak.spec.ts',
    'random and mutated bytes in every dialect, at least 5 million of them over at least 20,000 connections, seeds printed',
    [
      {
        says: 'forgetting connections that are over',
        file: 'src/net/listener.ts',
        from: 'if (isDone && this.#connections.delete(connection)) {',
        to: 'if (isDone && this.#connections.has(connection)) {',
      },
      {
        says: 'what is no JSON is the error of its connection alone',
        file: 'src/protocol/dialects/nest-json.ts',
        from: "throw errorOf('BAD_FRAME', 'The packet is not valid JSON.');",
        to: "throw new RangeError('The packet is not valid JSON.');",
      },
    ],
  ),
  ...faults([
    {
      says: 'what handlers compute is in the turn of their caller, where one floods',
      file: 'src/net/read-turn.ts',
      from: 'const sliceMs = performance.now() - this.#beganMs;',
      to: 'const sliceMs = Math.min(0, performance.now() - this.#beganMs);',
      spec: 'test/faults/flooding.spec.ts',
      row: 'one client floods, 20 others echo',
    },
    {
      says: 'an id is in use once',
      file: 'src/protocol/incoming-calls.ts',
      from: 'if (isInUse) throw',
      to: 'if (isInUse && id < 0) throw',
      spec: 'test/faults/frame-storm.spec.ts',
      row: 'a storm of CANCELs, CREDITs, PINGs, HELLOs, reused ids, unknown types',
    },
    {
      says: 'a server that stops reading reads on once its answers have left',
      file: 'src/net/read-gate.ts',
      from: '    this.#isBacklogged = false;\n    this.#unwatch();\n',
      to: '    this.#isBacklogged = this.#isClosed;\n    this.#unwatch();\n    if (!this.#isClosed) return;\n',
      spec: 'test/faults/big-echoes.spec.ts',
      row: '64 echoes of 1 MiB both ways at once; 512 of 16 KiB; on one connection',
    },
    {
      says: 'what the system has no room for is said',
      file: 'src/net/listen-errors.ts',
      from: 'advice === undefined ? says : `${says} ${advice}`',
      to: "advice === '' ? `${says} ${advice}` : says",
      spec: 'test/faults/no-room.spec.ts',
      row: 'disk full, read-only directory, no permission (as another uid)',
    },
  ]),
];
