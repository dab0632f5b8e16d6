import { group } from './group.mjs';

/** What takes out a sentence of docs/promises.md and needs no room of its own elsewhere. */
export const promises = [
  ...group('test/net/backpressure.spec.ts', [
    {
      says: 'an event that the system never took is told to its sender',
      keeps: '`emit` fails where the connection is lost before, or its time is up.',
      file: 'src/net/channel-call.ts',
      from: 'if (this.room.endWriting(this)) this.written(error);',
      to: 'if (this.room.endWriting(this)) this.written(undefined);',
      name: 'fail with CONNECTION_LOST',
    },
  ]),
  ...group('test/transport/events.spec.ts', [
    {
      says: 'an event is sent once, however often it is subscribed to',
      keeps: 'An event is sent at most once, however often `emit` is subscribed to.',
      file: 'src/transport/uds.client.ts',
      from: 'return sent.asObservable();',
      to: 'return new Observable(() => void this.dispatchEvent(this.createPacket(pattern, data)));',
      name: 'however often it is subscribed to',
    },
    {
      says: 'a server that closes waits for the events of those who have left',
      keeps: 'An event runs to its end although its sender leaves.',
      file: 'src/net/listener.ts',
      from: 'connection.socket.closed && incoming.eventsRunning === 0;',
      to: 'connection.socket.closed;',
      name: 'although its sender has left',
    },
  ]),
  ...group('test/transport/one-chunk.spec.ts', [
    {
      says: 'a call whose CANCEL came with it never starts',
      keeps: 'A call that is cancelled before it is handed to Nest never starts.',
      file: 'src/net/connection.ts',
      from: 'if (!call.isOver) this.owner.called(this, call);',
      to: 'this.owner.called(this, call);',
    },
    {
      says: 'a call that ran out of time behind another one never starts',
      keeps: 'A call that is out of time before it is handed to Nest never starts.',
      file: 'src/net/connection.ts',
      from: 'this.session.incoming.expire(performance.now());',
      to: '',
    },
  ]),
  ...group('test/transport/cancel.spec.ts', [
    {
      says: 'CREDIT for a call that is over is ignored',
      keeps: 'A CANCEL or CREDIT for a call that is over is ignored.',
      file: 'src/protocol/incoming-calls.ts',
      from: 'if (call === undefined) return;',
      to: "if (call === undefined) throw errorOf('UNEXPECTED_FRAME', '');",
      name: 'are ignored',
    },
  ]),
  ...group('test/transport/deadline.spec.ts', [
    {
      says: 'a limit ends with the first answer',
      keeps: 'A call whose first answer came in time is not cut.',
      file: 'src/protocol/outgoing-calls.ts',
      from: 'if (call.isOver || call.isAnswered) continue;',
      to: 'if (call.isOver) continue;',
      name: 'however long the next one takes',
    },
  ]),
  ...group('test/transport/deadline-timers.spec.ts', [
    {
      says: 'one timer serves all deadlines',
      keeps: 'One timer serves all deadlines of a connection.',
      file: 'src/net/deadline-timer.ts',
      from: '    if (atMs >= this.#atMs) return;\n    clearTimeout(this.#timer);\n',
      to: '',
    },
  ]),
  ...group('test/transport/streams.spec.ts', [
    {
      says: "a generator's error is told as Nest's filter tells it",
      keeps: "What a generator throws is told as Nest's default filter tells it.",
      file: 'src/transport/uds.answer-stream.ts',
      from: '!isAbort(error)) this.reply.failUnfiltered(error);',
      to: '!isAbort(error)) this.reply.fail(error);',
      name: 'with the error that Nest makes of it',
    },
  ]),
  ...group('test/transport/reconnect.spec.ts', [
    {
      says: 'a call that waits when its connection goes is not forgotten',
      keeps: 'A call that was not sent waits for the next connection.',
      file: 'src/net/channel.ts',
      from: '    for (const call of this.#queue.items) call.waitsSinceMs = nowMs;\n    this.#dialing.want();',
      to: '    for (const call of this.#queue.items) call.waitsSinceMs = nowMs;',
      name: 'calls that wait behind those that run',
    },
  ]),
  ...group('test/transport/messages.spec.ts', [
    {
      says: 'a payload that is changed while its call waits travels as it was',
      file: 'src/net/channel.ts',
      from: 'call.encodePayload();',
      to: '',
      name: 'as it was when it was called',
    },
  ]),
  ...group('test/transport/waiting-calls.spec.ts', [
    {
      says: 'a call that leaves the queue makes way for those behind it',
      file: 'src/net/channel.ts',
      from: '        this.#queue.delete(call);\n        this.#advance();',
      to: '        this.#queue.delete(call);\n        this.#settle();',
      name: 'the one before it is aborted',
    },
    {
      says: 'a close ends the pause between two attempts',
      file: 'src/net/redial.ts',
      from: '{ signal: stop, ref: false }',
      to: '{ ref: false }',
      name: 'between two attempts',
    },
    {
      says: 'connections are dialled a few at a time',
      file: 'src/net/redial.ts',
      from: 'length: Math.min(left, MAX_ATTEMPTS)',
      to: 'length: left',
      name: 'at most 16 at a time',
    },
    {
      says: 'a close cuts what lingers',
      file: 'src/net/connection.ts',
      from: '    if (!this.#isOver) {\n      this.#speech.sayLastWord(error);',
      to: '    if (this.#isOver) return;\n    if (!this.#isOver) {\n      this.#speech.sayLastWord(error);',
      name: 'and not once more',
    },
    {
      says: 'calls do not wait for an attempt that others began',
      file: 'src/net/dialing.ts',
      from: 'this.#first = this.#dialFirst();',
      to: 'this.#first = this.#others ?? this.#dialFirst();',
      name: 'an attempt that hangs',
    },
  ]),
  ...group('test/transport/serializers.spec.ts', [
    {
      says: 'a packet that throws when it is looked at ends its call alone',
      file: 'src/transport/uds.in-order.ts',
      from: '      view = reading.view(asPacket(packet));\n    } catch (error) {',
      to: '      view = asPacket(packet) as unknown as V;\n    } catch (error) {',
      name: 'gives what throws when it is looked at ends its call',
    },
  ]),
  ...group('test/transport/connections.spec.ts', [
    {
      says: 'calls go where the fewest are in flight',
      keeps:
        'Calls of a client with several `connections` go to the one with the fewest in flight, in turns.',
      file: 'src/net/connection-pool.ts',
      from: 'connection.session.outgoing.size < chosen.session.outgoing.size',
      to: 'connection.session.outgoing.size > chosen.session.outgoing.size',
      name: 'evenly',
    },
    {
      says: 'connections take turns where nothing is in flight',
      file: 'src/net/connection-pool.ts',
      from: 'this.#turn = (this.#turn + 1) % Math.max(1, length);',
      to: '',
      name: 'take turns',
    },
    {
      says: 'a connection that can not be had is not asked for with each call',
      file: 'src/net/dialing.ts',
      from: 'if (performance.now() >= this.#nextFillAtMs) this.#fill()',
      to: 'this.#fill()',
      name: 'has connect() fail',
    },
    {
      says: 'a connection that has closed leaves the pool',
      file: 'src/net/channel.ts',
      from: '    this.#pool.delete(connection);\n    if (this.#pool.size === 0) this.owner',
      to: '    if (this.#pool.size === 0) this.owner',
      name: 'disconnected with the last one alone',
    },
    {
      says: 'a client closes each of its connections',
      file: 'src/net/channel.ts',
      from: 'for (const connection of [...this.#pool.connections]) this.#retire(connection);',
      to: 'for (const connection of this.#pool.connections.slice(0, 1)) this.#retire(connection);',
      name: 'closes them all',
    },
  ]),
];
