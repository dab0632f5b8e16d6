import { group } from './group.mjs';

export const protocol = [
  ...group('test/protocol/conformance.spec.ts', [
    {
      says: 'a frame over the limit is refused on its header',
      file: 'src/protocol/frame-decoder.ts',
      from: 'if (length > this.maxFrameBytes) {',
      to: 'if (length > this.maxFrameBytes && length < 0) {',
      name: 'frame-too-large',
    },
    {
      says: 'an unknown type that may not be skipped ends the connection',
      file: 'src/protocol/frame-decoder.ts',
      from: 'if ((flags & FrameFlag.SKIPPABLE) === 0)',
      to: 'if (flags === -1)',
      name: 'unknown-type',
    },
    {
      says: 'an unknown type that may be skipped is skipped',
      file: 'src/protocol/frame-decoder.ts',
      from: 'if ((flags & FrameFlag.SKIPPABLE) === 0)',
      to: 'if (flags !== -1)',
      name: 'means nothing, and what follows is read',
    },
    {
      says: 'an undefined flag is a broken header',
      file: 'src/protocol/frame-decoder.ts',
      from: '(flags & ~(FLAGS_OF_TYPE[type] ?? 0)) !== 0',
      to: 'flags === -1',
      name: 'undefined-flag',
    },
    {
      says: 'pattern and metadata can not run past their frame',
      file: 'src/protocol/message.ts',
      from: "if (payloadStart > end) throw badFrame('pattern and metadata run past the end');",
      to: '',
      name: 'request-pattern-past-end',
    },
    {
      says: 'a hello with a wrong magic is refused',
      file: 'src/protocol/hello.ts',
      from: 'if (bytes.readUInt32BE(start) !== MAGIC)',
      to: 'if (bytes.readUInt32BE(start) === 0)',
      name: 'hello-bad-magic',
    },
    {
      says: 'the page and the vectors are one: a wrong number of a type is noticed',
      file: 'docs/PROTOCOL.md',
      from: '| 9 | CANCEL |',
      to: '| 19 | CANCEL |',
    },
    {
      says: 'each example on the page is its vector',
      file: 'docs/PROTOCOL.md',
      from: '00000000 00000003 09 00',
      to: '00000000 00000004 09 00',
    },
    {
      says: 'bytes travel as bytes',
      file: 'src/protocol/payload-codec.ts',
      from: 'value instanceof Uint8Array ? PayloadKind.BYTES : PayloadKind.JSON',
      to: 'value instanceof Uint8Array ? PayloadKind.JSON : PayloadKind.JSON',
    },
    {
      says: 'a string with lone surrogates goes as JSON',
      file: 'src/protocol/payload-codec.ts',
      from: 'value.isWellFormed() ? PayloadKind.TEXT : PayloadKind.JSON',
      to: 'value.isWellFormed() ? PayloadKind.TEXT : PayloadKind.TEXT',
    },
  ]),
  ...group('test/protocol/decoder.properties.spec.ts', [
    {
      says: 'a stream may be split anywhere',
      file: 'src/protocol/frame-decoder.ts',
      from: 'if (available < HEADER_BYTES) return this.#collect();',
      to: 'if (available < HEADER_BYTES) return undefined;',
    },
    {
      says: 'no byte is copied twice: a whole frame is read where it lies',
      file: 'src/protocol/frame-decoder.ts',
      from: 'if (end > this.#chunk.length) return this.#collect();',
      to: 'if (end > 0) return this.#collect();',
      name: 'copies',
    },
    {
      says: 'a message that can not be written leaves nothing of itself',
      file: 'src/protocol/message.ts',
      from: '  if (length > maxFrameBytes) {\n    encoder.rollback();',
      to: '  if (length > maxFrameBytes) {',
    },
  ]),
  ...group('test/protocol/payload-codec.spec.ts', [
    {
      says: 'bad UTF-8 is refused',
      file: 'src/protocol/payload-codec.ts',
      from: '&& !isUtf8(bytes.subarray(start, end))',
      to: '&& !isUtf8(bytes.subarray(start, start))',
    },
    {
      says: 'bytes are copied out of a chunk, which belongs to the socket',
      file: 'src/protocol/payload-codec.ts',
      from: 'return ownsBytes ? part : Buffer.from(part);',
      to: 'return part;',
    },
  ]),
  ...group('test/protocol/frame-encoder.spec.ts', [
    {
      says: 'a slab is never written twice',
      file: 'src/protocol/frame-encoder.ts',
      from: '    this.#from = slab.used;\n    return slab;',
      to: '    slab.used = 0;\n    this.#from = slab.used;\n    return slab;',
    },
    {
      says: 'a large body is written beside its header, without a copy',
      file: 'src/protocol/frame-encoder.ts',
      from: 'this.#appendBeside(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));',
      to: 'this.#appendBeside(Buffer.from(bytes));',
    },
  ]),
  ...group('test/protocol/session-calls.spec.ts', [
    {
      says: 'an id used twice ends the connection',
      file: 'src/protocol/incoming-calls.ts',
      from: 'if (this.#calls.has(message.id)) {',
      to: 'if (message.id === 0) {',
      name: 'that are in use end the connection',
    },
    {
      says: 'ids wrap at 2^32',
      file: 'src/protocol/outgoing-calls.ts',
      from: 'next >= MAX_U32 ? 1 : next + 1',
      to: 'next + 1',
      name: 'wrap from 2^32-1',
    },
    {
      says: 'nothing is sent for a call that is over',
      file: 'src/protocol/incoming-calls.ts',
      from: 'if (call.isEvent || !this.#end(call)) return undefined;',
      to: 'if (call.isEvent || (!this.#end(call) && call.isEvent)) return undefined;',
    },
    {
      says: 'a call that ends by itself sends no CANCEL',
      file: 'src/protocol/outgoing-calls.ts',
      from: '      this.#finish(call);\n      if (message.type !== FrameType.ERROR)',
      to: '      if (message.type !== FrameType.ERROR)',
    },
  ]),
  ...group('test/protocol/session-limits.spec.ts', [
    {
      says: 'requests over maxInFlight are refused',
      file: 'src/protocol/incoming-calls.ts',
      from: 'if (this.#calls.size >= maxInFlight) {',
      to: 'if (this.#calls.size > maxInFlight) {',
    },
    {
      says: 'events need credit',
      file: 'src/protocol/incoming-calls.ts',
      from: 'if (this.#eventsTaken >= this.settings.maxEvents) {',
      to: 'if (this.#eventsTaken < 0) {',
    },
    {
      says: 'credit of a stream comes back as it is read',
      file: 'src/protocol/outgoing-calls.ts',
      from: 'if (call.consumedBytes * 2 < this.settings.streamCreditBytes) return;',
      to: 'if (call.consumedBytes > 0) return;',
    },
    {
      says: 'a value of a stream costs its whole frame',
      file: 'src/protocol/incoming-calls.ts',
      from: 'call.creditBytes -= this.sink.write(',
      to: 'call.creditBytes -= 0 * this.sink.write(',
    },
  ]),
  ...group('test/protocol/session.spec.ts', [
    {
      says: 'a server writes nothing before the hello of its client, and takes it once',
      file: 'src/protocol/session.ts',
      from: 'message.type !== expected || this.peer !== undefined',
      to: 'message.type !== expected',
    },
    {
      says: 'GOAWAY: a client that was told opens nothing more',
      file: 'src/protocol/session.ts',
      from: '!this.#hasSaidGoAway && !this.#hasHeardGoAway;',
      to: '!this.#hasSaidGoAway;',
    },
    {
      says: 'PING is answered',
      file: 'src/protocol/session.ts',
      from: 'this.sink.write(new Message(FrameType.PONG, message.id));',
      to: '',
    },
    {
      says: 'a final GOAWAY refuses the calls after the last one taken, and no others',
      file: 'src/protocol/outgoing-calls.ts',
      from: '((call.id - lastTakenId) | 0) > 0',
      to: '((call.id - lastTakenId) | 0) >= 0',
    },
    {
      says: 'the end of a connection fails every call once',
      file: 'src/protocol/session.ts',
      from: 'this.outgoing.close(error);',
      to: '',
    },
  ]),
  ...group('test/protocol/session-deadlines.spec.ts', [
    {
      says: 'the time left is computed as the request is written',
      file: 'src/protocol/outgoing-calls.ts',
      from: 'Math.ceil(request.deadlineMs - nowMs)',
      to: 'Math.ceil(request.deadlineMs)',
    },
    {
      says: 'the server stops working on what nobody waits for',
      file: 'src/protocol/session.ts',
      from: 'this.incoming.expire(nowMs);',
      to: '',
    },
  ]),
];
