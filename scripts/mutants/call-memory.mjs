import { group } from './group.mjs';

/** What calls count as in memory, and how long their turns are by what their handlers do. */
export const callMemory = [
  ...group('test/net/call-memory.spec.ts', [
    {
      says: 'a short request counts as what it takes',
      file: 'src/protocol/call.ts',
      from: 'export const REQUEST_COST_BYTES = 3 * 1024;',
      to: 'export const REQUEST_COST_BYTES = 3;',
      name: 'many requests under way',
    },
    {
      says: 'an event counts as what it takes',
      file: 'src/protocol/call.ts',
      from: 'export const EVENT_COST_BYTES = 5 * 1024;',
      to: 'export const EVENT_COST_BYTES = 5;',
      name: 'many events under way',
    },
    {
      says: 'who comes while there is no room waits with the first word',
      file: 'src/net/read-gate.ts',
      from: 'speech.dialect !== undefined || !this.#mustWait()',
      to: 'speech.dialect !== null',
      name: 'by coming again',
    },
    {
      says: 'those that hold little have a limit together',
      file: 'src/net/memory-budget.ts',
      from: 'return this.#usedBytes >= 2 * this.#halfBytes;',
      to: 'return this.#usedBytes >= 2000 * this.#halfBytes;',
      name: 'by coming again',
    },
    {
      says: 'what is made of JSON counts as more',
      file: 'src/protocol/call.ts',
      from: 'export const JSON_FACTOR = 8;',
      to: 'export const JSON_FACTOR = 1;',
      name: 'an object counts as more',
    },
    {
      says: 'a text counts as what it is',
      file: 'src/protocol/call.ts',
      from: "  typeof payload === 'object' && payload",
      to: '  payload',
      name: 'a text does not',
    },
    {
      says: 'credit behind a long frame does not wait for calls',
      file: 'src/net/read-gate.ts',
      from: '    if (isStuck && share.isQueuing) hasMemory = share.hold(unfinishedBytes, 0, this.#usedBytes);\n',
      to: '',
      name: 'do not keep the credit of streams',
    },
    {
      says: 'a frame for whose call there is no room is refused',
      file: 'src/net/read-gate.ts',
      from: 'calls.hasRoom = !isStuck && !share.isUnpromised;',
      to: 'calls.hasRoom = !isStuck || share.isUnpromised;',
      name: 'do not keep the credit of streams',
    },
    {
      says: 'what a stream keeps counts',
      file: 'src/transport/uds.answer-stream.ts',
      from: '    this.reply.keep(costOf(part));\n',
      to: '',
      name: 'keep more than there is room for',
    },
    {
      says: 'what a stream has written counts no more',
      file: 'src/transport/uds.answer-stream.ts',
      from: '      if (!this.reply.isOver()) this.reply.keep(-costOf(part));\n',
      to: '      if (this.reply.isOver()) this.reply.keep(-costOf(part));\n',
      name: 'counts no more once it was read',
    },
  ]),
  ...group('test/net/read-turns.spec.ts', [
    {
      says: 'what handlers do is in the turn of their caller',
      file: 'src/net/read-turn.ts',
      from: '    this.#isOpen = true;\n    this.#lookSoon();\n',
      to: '    this.#isOpen = this.owner.isStarting();\n    this.#openBytes = 1_000;\n    if (this.#isOpen) this.#lookSoon();\n    else this.#measure(0);\n',
      name: 'short calls of a handler that computes',
    },
    {
      says: 'calls that compute, behind many that did not, wait for the next turns',
      file: 'src/net/read-turn.ts',
      from: '} else if (isSpent && !this.owner.hasEnded()) {',
      to: '} else if (isSpent && sliceMs < 0) {',
      name: 'behind many that did not',
    },
    {
      says: 'calls that waited for the next turn have it',
      file: 'src/net/read-turn.ts',
      from: '      this.owner.startMore();\n      this.#lookSoon();\n      return;\n',
      to: '      return;\n',
      name: 'behind many that did not',
    },
  ]),
  ...group('test/net/abandoned.spec.ts', [
    {
      says: 'a handler behind an Observable is taken to run on',
      file: 'src/transport/uds.answer.ts',
      from: '    if (this.#mayWork) setTimeout(() => this.#endWork(), UNSEEN_HANDLER_MS).unref();\n',
      to: '    this.#endWork();\n',
      name: 'under an interceptor, which hides',
    },
    {
      says: 'a handler behind an Observable that gave a value has ended',
      file: 'src/transport/uds.answer.ts',
      from: '      next: (value) => {\n        this.#endWork();\n',
      to: '      next: (value) => {\n',
      name: 'where they have given an answer',
    },
  ]),
  ...group('test/net/memory-budget.spec.ts', [
    {
      says: 'a frame waits for the room of its call',
      file: 'src/net/memory-budget.ts',
      from: 'this.#hasRoomFor(callBytes) && ',
      to: '',
      name: 'waits for the room of the call',
    },
    {
      says: 'nobody takes much more in one go than there is',
      file: 'src/net/memory-budget.ts',
      from: ' / MAX_COST_PER_BYTE;',
      to: ';',
      name: 'is read in pieces',
    },
    {
      says: 'waking is not quadratic',
      file: 'src/net/memory-budget.ts',
      from: '      if (share.isQueuing) return;\n',
      to: '',
      name: 'behind one that has to wait on',
    },
  ]),
];
