import { group } from './group.mjs';

/** Cancellation and deadlines to the letter: each way to leave, each stage of a deadline. */
export const letter = [
  ...group('test/transport/cancellation.spec.ts', [
    {
      says: 'a caller that leaves sends CANCEL',
      file: 'src/protocol/outgoing-calls.ts',
      from: 'this.sink.write(new Message(FrameType.CANCEL, call.id));',
      to: '',
      name: 'by unsubscribe() sends one CANCEL',
    },
    {
      says: 'what a guard let through too late is not subscribed to',
      keeps:
        "An Observable or a generator that a guard still held back when the cancel came is never begun; a promise's method, which Nest runs, finds its `signal` aborted.",
      file: 'src/transport/uds.answer.ts',
      from: '    if (this.reply.isOver()) return;\n    const stream',
      to: '    const stream',
      name: 'a guard that waits',
    },
    {
      says: 'a cancelled promise is not answered',
      file: 'src/protocol/incoming-calls.ts',
      from: 'if (call.isEvent || !this.#end(call)) return undefined;',
      to: 'if (call.isEvent || (!this.#end(call) && call.isEvent)) return undefined;',
      name: 'ends a promise',
    },
    {
      says: 'a generator is ended by each way to leave',
      file: 'src/transport/uds.answer-stream.ts',
      from: 'pulled?.return();',
      to: '',
      name: 'ends an async generator',
    },
    {
      says: 'a closing client cuts',
      file: 'src/net/channel.ts',
      from: 'for (const connection of [...this.#leaving, ...this.#pool.connections]) connection.close(error);',
      to: '',
      name: 'a client that is closed',
    },
    {
      says: 'leaving a loop ends every kind of stream',
      file: 'src/transport/uds.stream-reader.ts',
      from: '    this.#failure = undefined;\n    this.#call?.cancel();',
      to: '    this.#failure = undefined;',
      name: 'by a loop over stream()',
    },
  ]),
  ...group('test/transport/cancel-frames.spec.ts', [
    {
      says: 'a call that ended before sends no CANCEL',
      file: 'src/protocol/outgoing-calls.ts',
      from: '    if (!this.#end(call)) return;\n    this.sink.write(new Message(FrameType.CANCEL',
      to: '    this.#end(call);\n    this.sink.write(new Message(FrameType.CANCEL',
      name: 'left twice',
    },
    {
      says: 'a call left before it was written sends nothing',
      file: 'src/net/channel-call.ts',
      from: 'else this.room.leave(this);',
      to: '',
      name: 'before it is written',
    },
  ]),
  ...group('test/transport/cancel-late.spec.ts', [
    {
      says: 'a value that can not be read ends its stream',
      file: 'src/transport/uds.client.ts',
      from: 'return () => call.cancel();',
      to: 'return () => undefined;',
      name: 'can not read',
    },
  ]),
  ...group('test/transport/cancel.spec.ts', [
    {
      says: 'a generator that says it was aborted is no trouble',
      file: 'src/transport/uds.answer-stream.ts',
      from: '!this.reply.isOver() || !isAbort(error)',
      to: 'isAbort(error) || !isAbort(error)',
      name: 'logs what a generator throws then',
    },
  ]),
  ...group('test/transport/one-chunk.spec.ts', [
    {
      says: 'what came before a broken frame runs',
      file: 'src/net/connection.ts',
      from: '    this.#startTaken();\n    if (failure',
      to: '    if (failure === undefined) this.#startTaken();\n    if (failure',
      name: 'before what ends their connection',
    },
    {
      says: 'calls start after their chunk',
      file: 'src/net/connection.ts',
      from: 'called: (call) => this.#starter.add(call),',
      to: 'called: (call) => owner.called(this, call),',
      name: 'that are read together',
    },
    {
      says: 'a client whose time is up tells the server',
      file: 'src/protocol/outgoing-calls.ts',
      from: '      this.cancel(call);\n      call.caller.fail(deadlineExceeded(), false);',
      to: '      this.#end(call);\n      call.caller.fail(deadlineExceeded(), false);',
      name: 'up on the way',
    },
  ]),
  ...group('test/transport/deadline-stages.spec.ts', [
    {
      says: 'a call that a start hook held too long never runs',
      file: 'src/transport/uds.server.ts',
      from: 'if (reply.isOver()) reply.end();',
      to: 'if (reply.call.isEvent) reply.end();',
      name: 'a start hook waits',
    },
    {
      says: 'a call that the deserializer held too long never runs',
      file: 'src/transport/uds.server.ts',
      from: 'if (!call.isOver) this.#run(call, connection, pattern, data, metadata);',
      to: 'this.#run(call, connection, pattern, data, metadata);',
      name: 'the deserializer takes its time',
    },
    {
      says: 'a stream that began in time is not cut by the server',
      file: 'src/protocol/incoming-calls.ts',
      from: 'if (call.isOver || call.isAnswered) continue;',
      to: 'if (call.isOver) continue;',
      name: 'once the first value has come',
    },
    {
      says: 'a call out of time before there is a connection fails',
      file: 'src/net/wait-queue.ts',
      from: '    this.#waiting.add(item);\n    this.#timer.arm(item.deadlineMs);\n',
      to: '    this.#waiting.add(item);\n',
      name: 'before there is a connection',
    },
    {
      says: "the context's deadline is a time of day",
      file: 'src/transport/uds.context.ts',
      from: 'new Date(performance.timeOrigin + this.deadlineMs)',
      to: 'new Date(this.deadlineMs)',
      name: "the context's deadline",
    },
  ]),
  ...group('test/e2e/killed-client.spec.ts', [
    {
      says: 'a killed client has its calls ended',
      file: 'src/protocol/session.ts',
      from: 'this.incoming.close(error);',
      to: '',
    },
  ]),
];
