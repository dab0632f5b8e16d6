import { group } from './group.mjs';

/** What has not left when its connection is lost. */
export const unsent = [
  ...group('test/transport/unsent.spec.ts', [
    {
      says: 'what has not left comes back',
      keeps:
        'A request of which no byte has left when its connection is lost is sent again by itself, as it was, before those behind it.',
      file: 'src/protocol/outgoing-calls.ts',
      from: 'if (isAfter(call.id, this.#begunId)) unsent.push(call);',
      to: 'if (isAfter(call.id, this.#lastId)) unsent.push(call);',
      name: 'answered by the next server, in order',
    },
    {
      says: 'a write that is refused at once has taken nothing',
      file: 'src/net/frame-writer.ts',
      from: '!isBehind && socket.errored === null',
      to: '!isBehind',
      name: 'has not left, and is answered',
    },
    {
      says: 'what waits in the socket has not left',
      file: 'src/net/frame-writer.ts',
      from: '!isBehind && socket.errored === null',
      to: 'socket.errored === null',
      name: 'answered by the next server, in order',
    },
    {
      says: 'what the system may have taken in part has left',
      file: 'src/net/frame-writer.ts',
      from: '      this.#underWay = socket.writableLength > 0 ? this.#writes : 0;\n      this.session.outgoing.begin(this.#flushedId);',
      to: '      this.#underWay = socket.writableLength > 0 ? this.#writes : 0;',
      name: 'answered by the next server, in order',
    },
    {
      says: 'a request that comes back is what it was',
      file: 'src/net/channel-call.ts',
      from: '      this.encodePayload();\n',
      to: '',
      name: 'is the one that was sent',
    },
    {
      says: 'those that come back keep their order',
      file: 'src/protocol/outgoing-calls.ts',
      from: 'unsent.reverse()',
      to: 'unsent',
      name: 'answered by the next server, in order',
    },
    {
      says: 'those that come back are before the others',
      file: 'src/net/wait-queue.ts',
      from: 'return this.#returned.at(-1) ?? this.#firstWaiting;',
      to: 'return this.#firstWaiting ?? this.#returned.at(-1);',
      name: 'before those that waited behind them',
    },
    {
      says: 'those that come back as they are cut end',
      file: 'src/net/channel.ts',
      from: '    // Those that come back as their connection is cut, too.\n    this.#failQueued(error);\n',
      to: '',
      name: 'fail with CLIENT_CLOSED',
    },
    {
      says: 'a close waits for what comes back',
      file: 'src/net/channel.ts',
      from: 'while (!cut.signal.aborted && this.#queue.size > 0);',
      to: 'while (cut.signal.aborted && this.#queue.size > 0);',
      name: 'waited for by a close',
    },
  ]),
  ...group('test/protocol/call-table.spec.ts', [
    {
      says: 'what was pushed away from a hole moves up',
      file: 'src/protocol/call-table.ts',
      from: '      slots[hole] = call;\n      hole = at;\n',
      to: '',
      name: 'whatever the ids',
    },
    {
      says: 'calls are given in the order of their ids',
      file: 'src/protocol/call-table.ts',
      from: '.sort((a, b) => (a.id - b.id) | 0)',
      to: '',
      name: 'also past 2^32',
    },
  ]),
];
