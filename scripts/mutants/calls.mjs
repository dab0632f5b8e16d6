import { group } from './group.mjs';

export const calls = [
  ...group('test/transport/client-close.spec.ts', [
    {
      says: 'a close does not wait for a server that does not answer',
      file: 'src/net/redial.ts',
      from: 'settings, owner, timeoutMs, stop);',
      to: 'settings, owner, timeoutMs);',
      name: 'ends after closeTimeoutMs',
    },
    {
      says: 'a close waits for no connection that no call waits for',
      file: 'src/net/channel.ts',
      from: 'if (this.#queue.size === 0) this.#stopDialing?.abort();',
      to: '',
      name: 'ends at once',
    },
  ]),
  ...group('test/transport/cancel.spec.ts', [
    {
      says: "unsubscribing aborts the handler's signal",
      file: 'src/transport/uds.server.ts',
      from: 'context.abort(reason);',
      to: '',
      name: "aborts the handler's signal",
    },
    {
      says: 'unsubscribing tears the Observable down',
      file: 'src/transport/uds.answer.ts',
      from: 'this.#subscription?.unsubscribe();',
      to: '',
      name: 'Observable down',
    },
    {
      says: "a cancel calls the iterator's return()",
      file: 'src/transport/uds.answer-stream.ts',
      from: 'pulled?.return();',
      to: '',
      name: 'return() once',
    },
    {
      says: 'unsubscribing tells the server',
      file: 'src/transport/uds.client.ts',
      from: 'return () => call.cancel();',
      to: 'return () => undefined;',
      name: 'unsubscribing',
    },
    {
      says: 'an AbortSignal cancels its call',
      file: 'src/transport/uds.abortable-call.ts',
      from: "signal.addEventListener('abort', this.#abort);",
      to: '',
      name: 'cancels its call, which fails with CALL_ABORTED',
      spec: 'test/transport/abort-signal.spec.ts',
    },
    {
      says: 'a peer that leaves cancels what ran for it',
      file: 'src/protocol/session.ts',
      from: 'this.incoming.close(error);',
      to: '',
      name: 'a peer that leaves',
    },
  ]),
  ...group('test/transport/deadline.spec.ts', [
    {
      says: 'a call has a time limit by default, and may have its own',
      file: 'src/transport/uds.client.ts',
      from: 'const limitMs = record?.timeoutMs ?? this.#options.requestTimeoutMs;',
      to: 'const limitMs = 0;',
      name: 'a call without an answer in time',
    },
    {
      says: 'a call that waits to be sent runs out of time too',
      file: 'src/net/wait-queue.ts',
      from: 'this.#timer.arm(item.deadlineMs);',
      to: '',
      name: 'fails while it still waits to be sent',
    },
  ]),
  ...group('test/transport/streams.spec.ts', [
    {
      says: 'an Observable too far ahead of its reader is torn down',
      file: 'src/transport/uds.answer-stream.ts',
      from: 'if (this.#keptBytes <= maxStreamBufferBytes) {',
      to: 'if (this.#keptBytes >= 0) {',
      name: 'STREAM_OVERFLOW',
    },
    {
      says: 'an async generator is flattened',
      file: 'src/transport/uds.iterable.ts',
      from: "return typeof open === 'function' ||",
      to: 'return',
      name: 'is flattened',
    },
  ]),
  ...group('test/transport/stream-reader.spec.ts', [
    {
      says: 'a generator is paused while nobody reads',
      file: 'src/protocol/incoming-calls.ts',
      from: 'return call.creditBytes > 0 &&',
      to: 'return',
    },
    {
      says: 'leaving the loop cancels the call',
      file: 'src/transport/uds.stream-reader.ts',
      from: '    this.#failure = undefined;\n    this.#call?.cancel();',
      to: '    this.#failure = undefined;',
    },
  ]),
  ...group('test/transport/events.spec.ts', [
    {
      says: 'emit completes once the event is written, and not before',
      file: 'src/net/frame-writer.ts',
      from: 'this.#onWritten.push(written);',
      to: 'written(undefined);',
      spec: 'test/net/backpressure.spec.ts',
    },
    {
      says: 'events and messages keep their order',
      file: 'src/net/channel.ts',
      from: 'this.#queue.size === 0 ? this.#pool.choose(call) : undefined;',
      to: 'this.#pool.choose(call);',
      name: 'emit',
    },
    {
      says: 'the events of a client that closes and exits all arrive',
      file: 'src/net/connection.ts',
      from: '    this.socket.end();\n',
      to: '    this.socket.destroySoon();\n',
      name: 'has all its events run',
      spec: 'test/e2e/client-process.spec.ts',
      builds: true,
    },
  ]),
  ...group('test/transport/reconnect.spec.ts', [
    {
      says: 'a client comes back by itself',
      file: 'src/net/channel.ts',
      from: '    this.#pool.delete(connection);\n    if (this.#pool.size === 0) this.owner',
      to: '    if (this.#pool.size === 0) this.owner',
    },
    {
      says: 'a server that closes tells its clients, and they leave',
      file: 'src/net/listener.ts',
      from: 'else connection.leave();',
      to: '',
    },
  ]),
  ...group('test/transport/close.spec.ts', [
    {
      says: "a client's close waits for what runs",
      file: 'src/net/channel.ts',
      from: 'while (this.#leaving.size > 0) await this.#nextSettling();',
      to: 'this.#cut();',
      name: "a client's close",
    },
    {
      says: "a server's close waits for what runs",
      file: 'src/net/listener.ts',
      from: 'while (this.#connections.size > 0 && !this.#isCut) {',
      to: 'this.#cut();\n    while (this.#connections.size < 0) {',
      name: "a server's close takes the path away",
    },
    {
      says: 'a close cuts after closeTimeoutMs',
      file: 'src/net/listener.ts',
      from: 'const timer = setTimeout(() => this.#cut(), closeTimeoutMs);',
      to: 'const timer = setTimeout(() => undefined, closeTimeoutMs);',
      name: "a server's close cuts",
    },
  ]),
  ...group('test/transport/hooks.spec.ts', [
    {
      says: 'each processing hook that starts has its end',
      file: 'src/transport/uds.reply.ts',
      from: '    ended?.();',
      to: '    void ended;',
    },
    {
      says: 'a cancelled call closes its span',
      file: 'src/transport/uds.answer.ts',
      from: '    this.#stream?.stop();\n    this.reply.end();',
      to: '    this.#stream?.stop();',
    },
  ]),
];
