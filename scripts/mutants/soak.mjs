import { faults } from './group.mjs';

const rowOf = (spec, row, entries) => faults(entries.map((entry) => ({ ...entry, spec, row })));

/** The long rows of the fault suite, and those that measure. */
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
];
