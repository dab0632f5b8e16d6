import { group } from './group.mjs';

const READER = 'src/transport/uds.stream-reader.ts';
const STREAM = 'src/transport/uds.answer-stream.ts';
const INCOMING = 'src/protocol/incoming-calls.ts';
/** A queue that moves all that waits each time the first one leaves. */
const ARRAY = `new (class extends Array {
  enqueue(item) { this.push(item); }
  dequeue() { return this.shift(); }
  clear() { this.length = 0; }
  get size() { return this.length; }
  drain() { return this.splice(0); }
})()`;

/** Streams to the letter: order, ends, pace, and the death of either end. */
export const streams = [
  ...group('test/transport/stream-order.spec.ts', [
    {
      says: 'items come before the error',
      file: READER,
      from: 'if (isFailure) this.#failure = { error: err };',
      to: 'if (isFailure) { this.#failure = { error: err }; this.#arrived.clear(); }',
      name: 'that fails',
    },
    {
      says: 'an empty stream has no item',
      file: READER,
      from: 'else if (isDisposed !== true || response !== undefined)',
      to: 'else',
      name: 'that has no items',
    },
    {
      says: 'the end waits for the items',
      file: STREAM,
      from: 'if (this.isClear) end();',
      to: 'end();',
      name: 'that fails',
    },
    {
      says: 'a failed iterator is not returned',
      file: STREAM,
      from: '// As after its end, a failed iterator is not returned.\n      this.#pulled = undefined;',
      to: '',
      name: 'that fails',
    },
    {
      says: 'what waits behind another is closed by a cancel',
      file: STREAM,
      from: 'if (!EncodedPayload.is(part)) discard(part)',
      to: 'if (EncodedPayload.is(part)) discard(part as never)',
      name: 'still waited behind another',
    },
    {
      says: 'what waits behind one that failed is closed',
      file: STREAM,
      from: '      this.stopSource();\n',
      to: '',
      name: 'waited behind one that failed',
    },
    {
      says: 'return() is called once',
      file: STREAM,
      from: 'pulled?.return();',
      to: 'pulled?.return();\n    pulled?.return();',
      name: 'is closed once',
    },
  ]),
  ...group('test/transport/stream-backlog.spec.ts', [
    {
      says: 'a long backlog at the reader is worked off in a time that grows with its length',
      file: READER,
      from: 'readonly #arrived = new Queue<{ value: unknown; wireBytes: number }>();',
      to: `readonly #arrived = ${ARRAY};`,
      name: 'where it waits for a reader',
    },
    {
      says: 'a long backlog at the server is, too',
      file: STREAM,
      from: 'readonly #parts = new Queue<Part>();',
      to: `readonly #parts = ${ARRAY};`,
      name: 'ahead of the credit',
    },
  ]),
  ...group('test/net/wait-queue.spec.ts', [
    {
      says: 'a long queue is worked off in a time that grows with its length',
      file: 'src/net/wait-queue.ts',
      from: 'const next = this.#order.next();',
      to: 'const next = this.#waiting.values().next();',
      name: 'a time that grows with its length',
    },
  ]),
  ...group('test/e2e/slow-reader.spec.ts', [
    {
      says: 'credit holds a generator back, in another process too',
      file: INCOMING,
      from: 'return call.creditBytes > 0 &&',
      to: 'return call.creditBytes > -Infinity &&',
      name: 'back',
      builds: true,
    },
    {
      says: 'credit is granted once',
      file: 'src/protocol/outgoing-calls.ts',
      from: 'message.credit = call.consumedBytes;',
      to: 'message.credit = call.consumedBytes * 2;',
      name: 'endless generator',
      builds: true,
    },
  ]),
  ...group('test/e2e/stream-kills.spec.ts', [
    {
      says: 'a dead peer ends its streams',
      file: INCOMING,
      from: 'for (const call of this.#calls.values()) this.#cancel(call, error);',
      to: 'for (const call of this.#calls.values()) if (call.isOver) this.#cancel(call, error);',
      name: 'client process',
      builds: true,
    },
    {
      says: 'what had arrived is given before CONNECTION_LOST',
      file: READER,
      from: 'if (isFailure) this.#failure = { error: err };',
      to: 'if (isFailure) { this.#failure = { error: err }; this.#arrived.clear(); }',
      name: 'slow reader',
      builds: true,
    },
  ]),
];
