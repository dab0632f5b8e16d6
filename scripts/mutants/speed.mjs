import { group } from './group.mjs';

/** What is there for speed alone, and what it must not change. */
export const speed = [
  ...group('test/protocol/call-table.spec.ts', [
    {
      says: 'ids in a row are spread over the table',
      file: 'src/protocol/call-table.ts',
      from: 'return Math.imul(id, SPREAD) >>> this.#shift;',
      to: 'return id & (this.#slots.length - 1);',
      name: 'a time that grows with how many there are',
    },
  ]),
  ...group('test/protocol/long-memory.spec.ts', [
    {
      says: 'long memory is kept by the process',
      file: 'src/protocol/long-memory.ts',
      from: 'Buffer.allocUnsafeSlow(REMEMBERED_BYTES);',
      to: 'Buffer.allocUnsafeSlow(REMEMBERED_BYTES % 2);',
      name: 'not asked of the system anew',
      builds: true,
    },
  ]),
  ...group('test/protocol/frame-encoder.spec.ts', [
    {
      says: 'only ASCII is written as Latin-1',
      file: 'src/protocol/frame-encoder.ts',
      from: "length === text.length ? 'latin1' : 'utf8'",
      to: "'latin1'",
      name: 'is read as it was written',
    },
    {
      says: 'only ASCII is read as Latin-1',
      file: 'src/protocol/payload-codec.ts',
      from: ' && isAscii(bytes.subarray(start, end))',
      to: '',
      name: 'is read as it was written',
    },
  ]),
  ...group('test/net/client-socket.spec.ts', [
    {
      says: 'a client keeps nothing in the memory that it reads into',
      file: 'src/net/client-socket.ts',
      from: '    dialect.letGo?.();\n',
      to: '',
      name: 'inside its body',
    },
  ]),
  ...group('test/net/call-groups.spec.ts', [
    {
      says: 'groups of calls so short that nobody looks at what they cost start too',
      file: 'src/net/read-turn.ts',
      from: 'if (!this.#isOpen && this.owner.isStarting()) this.#open(length);',
      to: '',
      name: 'so short that nobody looks',
    },
    {
      says: 'calls that were read together start in groups',
      file: 'src/net/call-starter.ts',
      from: 'if (calls.length < GROUP * 1.5) {',
      to: 'if (calls.length < GROUP * 150) {',
      name: 'the first are answered before the last',
    },
    {
      says: 'calls that start in a moment hold nobody back',
      file: 'src/net/call-starter.ts',
      from: 'return this.#calls.length > 0 && !this.#isResting;',
      to: 'return this.#calls.length > 0;',
      name: 'hold nobody back',
    },
    {
      says: 'a group that waits for its turn starts',
      file: 'src/net/read-turn.ts',
      from: '    } else {\n      this.#startMore();\n    }\n',
      to: '    }\n',
      name: 'the first are answered before the last',
    },
  ]),
];
