import { group } from './group.mjs';

export const transport = [
  ...group('test/transport/bytes.spec.ts', [
    {
      says: 'a payload whose memory is gone ends its own call alone',
      file: 'src/protocol/payload-codec.ts',
      from: 'return Buffer.from(\n      memory,',
      to: 'if (memory.byteLength === 0) return Buffer.alloc(9);\n    return Buffer.from(\n      memory,',
    },
  ]),
  ...group('test/transport/messages.spec.ts', [
    {
      says: 'an error of a handler arrives verbatim',
      file: 'src/protocol/outgoing-calls.ts',
      from: 'message.isTransportError ? errorFromWire(message.payload as WireError) : message.payload;',
      to: 'errorFromWire({ code: "", message: "" } as WireError);',
      name: 'an error of a handler',
    },
    {
      says: 'metadata reach the handler',
      file: 'src/transport/uds.client.ts',
      from: 'const metadata = record?.metadata === undefined ? attached : { ...record.metadata, ...attached };',
      to: 'const metadata = undefined;',
      name: 'metadata',
    },
    {
      says: 'a pattern that nobody handles is refused',
      file: 'src/transport/uds.server.ts',
      from: '} else if (handler === null) {',
      to: '} else if (handler === undefined) {',
      name: 'NO_HANDLER',
    },
    {
      says: 'a handler that is pinned to another transport is not bound',
      file: 'src/transport/uds.server.ts',
      from: 'override readonly transportId = UDS_TRANSPORT;',
      to: 'override readonly transportId = undefined as never;',
      name: 'pinned',
    },
  ]),
  ...group('test/transport/refusals.spec.ts', [
    {
      says: 'an answer that can not be written is told to its caller',
      keeps: "What can't be written ends its own call with a code and one line of log, and nothing else.",
      file: 'src/protocol/incoming-calls.ts',
      from: '      refusal = unwritable(error);\n      this.#writeError(call, refusal);',
      to: '      refusal = unwritable(error);',
      name: 'ANSWER_TOO_LARGE',
    },
    {
      says: 'the wait queue is bounded',
      keeps: 'Requests in flight, events under way, and calls that wait each have a limit with a code.',
      file: 'src/net/wait-queue.ts',
      from: 'if (this.#waiting.size >= this.maxSize) return false;',
      to: '',
      name: 'QUEUE_FULL',
    },
    {
      says: 'nil payloads are refused as by every client of Nest',
      file: 'src/transport/uds.client.ts',
      from: 'return isNil(pattern) || isNil(',
      to: 'return isNil(pattern) && isNil(',
      name: 'InvalidMessageException',
      spec: 'test/transport/messages.spec.ts',
    },
  ]),
  ...group('test/transport/serializers.spec.ts', [
    {
      says: "an application's serializer makes what travels",
      file: 'src/transport/uds.client.ts',
      from: 'if (this.#options.serializer === undefined) {',
      to: 'if (this.#options.serializer !== null) {',
    },
    {
      says: 'a deserializer that takes its time does not change the order',
      keeps: 'A deserializer that takes its time does not change the order.',
      file: 'src/transport/uds.in-order.ts',
      from: 'if (this.#tail !== undefined) {',
      to: 'if (this.#tail === null) {',
      name: 'in which they were sent',
    },
  ]),
  ...group('test/transport/context.spec.ts', [
    {
      says: 'the context tells who called',
      file: 'src/transport/uds.context.ts',
      from: 'return peer && {',
      to: 'return peer && undefined && {',
      name: 'tells who called',
    },
    {
      says: 'the signal is made once, on first use',
      file: 'src/transport/uds.context.ts',
      from: 'if (this.#controller === undefined) {',
      to: 'if (this.#controller !== null) {',
      name: 'makes its signal on first use',
    },
  ]),
  ...group('test/transport/options.spec.ts', [
    {
      says: 'an unknown option is refused by name',
      file: 'src/transport/uds.option-check.ts',
      from: 'if (unknown.length === 0) return;',
      to: 'if (unknown.length >= 0) return;',
    },
    {
      says: 'a value out of range is refused',
      file: 'src/transport/uds.option-check.ts',
      from: '(value as number) <= row.max',
      to: '(value as number) !== row.max + 0.5',
    },
  ]),
  ...group('test/transport/record.spec.ts', [
    {
      says: 'a record with a wrong timeout is refused',
      file: 'src/transport/uds.record.ts',
      from: 'Number.isInteger(timeoutMs) && (timeoutMs as number) >= 0 &&',
      to: '',
    },
  ]),
  ...group('test/transport/wiring.spec.ts', [
    {
      says: 'every error of listen reaches the callback of Nest',
      file: 'src/transport/uds.server.ts',
      from: '        callback(error);',
      to: '        callback();',
      name: 'listen fails',
    },
    {
      says: 'udsClient makes a UdsClient in each factory of Nest',
      file: 'src/transport/uds.providers.ts',
      from: 'customClass: UdsClient, options }',
      to: 'customClass: UdsClient, options: { path: "/nowhere" } }',
      name: 'ClientsModule.register;',
    },
  ]),
];
