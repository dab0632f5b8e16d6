import { beforeEach, describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import {
  Ctx,
  type Deserializer,
  EventPattern,
  MessagePattern,
  Payload,
  RpcException,
  type Serializer,
} from '@nestjs/microservices';
import { lastValueFrom } from 'rxjs';
import { UdsContext } from '../../src/index.js';
import { clientOf, type Served, serve, socketPath } from '../support/nest.js';
import { type Json, TextPeer } from '../support/text-peer.js';
import { turns, until } from '../support/wait.js';

let handled: unknown[] = [];
let serialized: Json[] = [];
let deserialized: Json[] = [];

beforeEach(() => {
  [handled, serialized, deserialized] = [[], [], []];
});

@Controller()
class Answers {
  @MessagePattern('echo')
  echo(@Payload() data: unknown): unknown {
    handled.push(data);
    return data;
  }

  @MessagePattern({ cmd: 'object' })
  byObject(@Ctx() context: UdsContext): unknown {
    return { pattern: context.getPattern(), metadata: context.getMetadata() };
  }

  @MessagePattern('two')
  async *two(): AsyncGenerator<number> {
    yield* [1, 2];
  }

  @MessagePattern('fails')
  fails(): never {
    throw new RpcException('no stock');
  }

  @EventPattern('noted')
  noted(@Payload() data: unknown): void {
    handled.push(data);
  }
}

/** Keeps what it is given, and marks it. */
const serializer: Serializer<Json, Json> = {
  serialize: (packet) => {
    serialized.push(packet);
    return { ...packet, marked: true };
  },
};
/** Takes its time, to see that the order stays. */
const deserializer: Deserializer<Json, Promise<never>> = {
  deserialize: async (packet) => {
    deserialized.push(packet);
    await turns(deserialized.length === 1 ? 4 : 1);
    const { data } = packet as { data: unknown };
    if (data === 'bad') throw new Error('mine');
    return { ...packet, data: typeof data === 'string' ? `${data}!` : data } as never;
  },
};

const servedWithBoth = (): Promise<Served> => serve([Answers], { serializer, deserializer });

describe('a server with its own serializer and deserializer', () => {
  it('hands them the packets of nest-json, with the id of the peer', async () => {
    const { path } = await servedWithBoth();
    const peer = await TextPeer.to(path);
    peer.sendPackets(
      { pattern: 'echo', data: 'a', id: 'f00d' },
      { pattern: { cmd: 'object' }, data: null, id: 'f11d', metadata: { trace: 'a1' } },
    );
    const object = { pattern: '{"cmd":"object"}', metadata: { trace: 'a1' } };
    expect(await peer.packetsCome(2)).toEqual([
      { response: 'a!', isDisposed: true, id: 'f00d', marked: true },
      { response: object, isDisposed: true, id: 'f11d', marked: true },
    ]);
    expect(deserialized).toEqual([
      { pattern: 'echo', data: 'a', id: 'f00d' },
      { pattern: { cmd: 'object' }, data: null, id: 'f11d', metadata: { trace: 'a1' } },
    ]);
    expect(serialized.map(({ id }) => id)).toEqual(['f00d', 'f11d']);
  });

  it('hands them streams, errors and events of nest-json too, in their order', async () => {
    const { path } = await servedWithBoth();
    const peer = await TextPeer.to(path);
    peer.sendPackets({ pattern: 'noted', data: 'first' }, { pattern: 'noted', data: 'second' });
    await until(() => handled.length === 2, 'the events ran');
    expect(handled).toEqual(['first!', 'second!']);
    peer.sendPackets({ pattern: 'two', data: 0, id: 's' });
    expect(await peer.packetsCome(3)).toEqual([
      { response: 1, id: 's', marked: true },
      { response: 2, id: 's', marked: true },
      { isDisposed: true, id: 's', marked: true },
    ]);
    peer.sendPackets({ pattern: 'fails', data: 0, id: 'e' });
    expect((await peer.packetsCome(4)).at(-1)).toEqual({
      err: { status: 'error', message: 'no stock' },
      isDisposed: true,
      id: 'e',
      marked: true,
    });
    expect(deserialized[0]).toEqual({ pattern: 'noted', data: 'first' });
  });

  it('answers a packet of nest-json that the deserializer can not read with BAD_PAYLOAD, alone', async () => {
    const { path, log } = await servedWithBoth();
    const peer = await TextPeer.to(path);
    peer.sendPackets({ pattern: 'echo', data: 'bad', id: '1' }, { pattern: 'echo', data: 'good', id: '2' });
    expect(await peer.packetsCome(2)).toEqual([
      { err: { code: 'BAD_PAYLOAD', message: expect.any(String) }, isDisposed: true, id: '1' },
      { response: 'good!', isDisposed: true, id: '2', marked: true },
    ]);
    expect(log.troubles).toEqual([expect.stringMatching(/^BAD_PAYLOAD/)]);
  });

  it('answers a packet that the serializer can not write with UNSERIALIZABLE_ANSWER, alone', async () => {
    const picky: Serializer<Json, Json> = {
      serialize: (packet) => {
        if (packet['response'] === 'bad') throw new Error('mine');
        return packet;
      },
    };
    const { path, log } = await serve([Answers], { serializer: picky });
    const peer = await TextPeer.to(path);
    peer.sendPackets({ pattern: 'echo', data: 'bad', id: '1' }, { pattern: 'echo', data: 'good', id: '2' });
    expect(await peer.packetsCome(2)).toEqual([
      { err: { code: 'UNSERIALIZABLE_ANSWER', message: expect.any(String) }, isDisposed: true, id: '1' },
      { response: 'good', isDisposed: true, id: '2' },
    ]);
    expect(log.troubles).toEqual([expect.stringMatching(/^UNSERIALIZABLE_ANSWER/)]);
  });

  it('answers all the same where the serializer makes nothing of a packet', async () => {
    const { path, log } = await serve([Answers], { serializer: { serialize: () => undefined } });
    const peer = await TextPeer.to(path);
    peer.sendPackets({ pattern: 'echo', data: 1, id: '1' });
    expect(await peer.packetsCome(1)).toEqual([
      { err: { code: 'UNSERIALIZABLE_ANSWER', message: expect.any(String) }, isDisposed: true, id: '1' },
    ]);
    expect(log.troubles).toEqual([expect.stringMatching(/^UNSERIALIZABLE_ANSWER/)]);
  });

  it('shows them nothing of ndjson and raw', async () => {
    const raw = { path: socketPath(), dialects: ['raw'], pattern: 'echo' } as const;
    const { path } = await serve([Answers], {
      serializer,
      deserializer,
      endpoints: [{ path: socketPath() }, raw],
    });
    const lines = await TextPeer.to(path);
    lines.sendLines(
      { id: 1, pattern: 'echo', data: 'a' },
      { id: 2, pattern: 'fails' },
      { pattern: 'noted', data: 'b' },
      { id: 3, pattern: 'two' },
    );
    expect(await lines.linesCome(5)).toEqual(
      expect.arrayContaining([
        { id: 1, response: 'a' },
        { id: 2, error: { status: 'error', message: 'no stock' } },
        { id: 3, next: 1 },
        { id: 3, next: 2 },
        { id: 3, complete: true },
      ]),
    );
    const bytes = await TextPeer.to(raw.path);
    await bytes.send('bare').textComes('bare');
    expect(bytes.text).toBe('bare');
    expect(handled.map(String)).toEqual(['a', 'b', 'bare']);
    expect([serialized, deserialized]).toEqual([[], []]);
  });

  it('of one kind alone leaves the other way as it is', async () => {
    const { path } = await serve([Answers], { serializer });
    const peer = await TextPeer.to(path);
    peer.sendPackets({ pattern: 'echo', data: 'a', id: '1' });
    expect(await peer.packetsCome(1)).toEqual([{ response: 'a', isDisposed: true, id: '1', marked: true }]);
    const { path: other } = await serve([Answers], { deserializer });
    const second = await TextPeer.to(other);
    second.sendPackets({ pattern: 'echo', data: 'a', id: '1' });
    expect(await second.packetsCome(1)).toEqual([{ response: 'a!', isDisposed: true, id: '1' }]);
    const client = clientOf(other);
    expect(await lastValueFrom(client.send('echo', 'b'))).toBe('b!');
  });
});
