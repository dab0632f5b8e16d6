import { describe, expect, it } from '@jest/globals';
import { JsonSocket } from '@nestjs/microservices/helpers/json-socket.js';
import fc from 'fast-check';
import { Duplex } from 'node:stream';
import { vectors, textBytesOf, textMessageFrom, textVectorOf } from '../conformance/vectors.js';
import { NestJsonDialect } from '../../src/protocol/dialects/nest-json.js';
import { FrameType } from '../../src/protocol/frame.js';
import { Message } from '../../src/protocol/message.js';
import { brokenText, json, text } from './arbitraries.js';
import { byteByByte, cutAt, MIB, readText } from './reading.js';

const TIME_BOX = { interruptAfterTimeLimit: 1_500, numRuns: 1_000 };
const places = fc.array(fc.nat(), { maxLength: 20 });
const value = fc.oneof(text, brokenText, json);

/** Nest's own class, on a stream that keeps what is written to it. */
class NestEnd extends Duplex {
  readonly heard: unknown[] = [];
  readonly errors: unknown[] = [];
  readonly #written: Buffer[] = [];
  readonly #nest: JsonSocket;

  constructor() {
    // never full: Nest's class stops reading at a backlog
    super({ writableHighWaterMark: 2 ** 40 });
    this.#nest = new JsonSocket(this, { incompleteMessageTimeout: 0 });
    this.on('message', (packet: unknown) => this.heard.push(packet));
    this.on('error', (error: unknown) => this.errors.push(error));
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#written.push(chunk);
    done();
  }

  override _read(): void {}

  written(packets: readonly unknown[]): Buffer {
    for (const packet of packets) this.#nest.sendMessage(packet);
    return Buffer.concat(this.#written.splice(0));
  }

  hear(chunks: Iterable<Buffer>): unknown[] {
    for (const chunk of chunks) this.emit('data', chunk);
    return this.heard;
  }
}

const answer = (type: number, payload: unknown): Message =>
  Object.assign(new Message(type, 0), { peerId: 'f00d', payload });

const ours = (messages: readonly Message[]): Buffer => {
  const dialect = new NestJsonDialect(16 * MIB);
  for (const message of messages) dialect.encode(message);
  return Buffer.concat(dialect.take());
};

describe("what Nest's JsonSocket writes", () => {
  it('reads as it was meant, for any value, split anywhere', () => {
    const packets = fc.array(fc.record({ pattern: text, data: value, id: text }), { maxLength: 6 });
    fc.assert(
      fc.property(packets, places, (sent, cuts) => {
        const stream = new NestEnd().written(sent);
        const messages = sent.map(({ pattern, data, id }) =>
          textVectorOf(
            Object.assign(new Message(FrameType.REQUEST, 0), { pattern, payload: data, peerId: id }),
          ),
        );
        const expected = { messages, code: undefined };
        expect(readText([stream], new NestJsonDialect(16 * MIB))).toEqual(expected);
        expect(readText(cutAt(stream, cuts), new NestJsonDialect(16 * MIB))).toEqual(expected);
        if (stream.length < 4_000)
          expect(readText(byteByByte(stream), new NestJsonDialect(16 * MIB))).toEqual(expected);
      }),
      TIME_BOX,
    );
  });

  const fromClient = vectors['nest-json'].valid.filter(({ from }) => from === 'client');
  it.each(fromClient.map((vector) => [vector.name, vector] as const))(
    'is what the vector says: %s',
    (_name, vector) => {
      const packet: unknown = JSON.parse(vector.text!.replace(/^\d+#/, ''));
      expect(new NestEnd().written([packet])).toEqual(textBytesOf(vector));
    },
  );
});

describe('what this end writes', () => {
  it("is byte for byte what Nest's JsonSocket makes of the packets that Nest's server gives it", () => {
    fc.assert(
      fc.property(fc.array(value, { maxLength: 6 }), (values) => {
        const messages = values.flatMap((each) => [
          answer(FrameType.RESPONSE, each),
          answer(FrameType.NEXT, each),
          answer(FrameType.ERROR, each),
          answer(FrameType.COMPLETE, undefined),
        ]);
        const id = 'f00d';
        const packets = values.flatMap((each) => [
          { response: each, isDisposed: true, id },
          { response: each, id },
          { err: each, isDisposed: true, id },
          { isDisposed: true, id },
        ]);
        expect(ours(messages).equals(new NestEnd().written(packets))).toBe(true);
      }),
      TIME_BOX,
    );
  });

  it("is read by Nest's JsonSocket, for any value, split anywhere", () => {
    fc.assert(
      fc.property(fc.array(value, { maxLength: 6 }), places, (values, cuts) => {
        const stream = ours(values.map((each) => answer(FrameType.RESPONSE, each)));
        const nest = new NestEnd();
        expect(nest.hear(cutAt(stream, cuts))).toEqual(
          values.map((response) => ({ response, isDisposed: true, id: 'f00d' })),
        );
        expect(nest.errors).toEqual([]);
      }),
      TIME_BOX,
    );
  });

  const fromServer = vectors['nest-json'].valid.filter(({ from }) => from === 'server');
  it.each(fromServer.map((vector) => [vector.name, vector] as const))(
    'is read there as it stands: %s',
    (_name, vector) => {
      const packet: unknown = JSON.parse(vector.text!.replace(/^\d+#/, ''));
      const written = ours([textMessageFrom(vector.message)]);
      expect(new NestEnd().hear(byteByByte(written))).toEqual([packet]);
    },
  );
});

describe('a length that no reader should believe', () => {
  it("is taken by Nest's JsonSocket, and refused here", () => {
    const junk = Buffer.from('7junk#"12345"');
    expect(new NestEnd().hear([junk])).toEqual(['12345']);
    expect(readText([junk], new NestJsonDialect(MIB))).toEqual({ messages: [], code: 'BAD_FRAME' });
  });
});
