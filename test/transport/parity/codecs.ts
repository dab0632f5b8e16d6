import { Controller } from '@nestjs/common';
import {
  type Deserializer,
  EventPattern,
  MessagePattern,
  Payload,
  RpcException,
  type Serializer,
} from '@nestjs/microservices';
import { Buffer } from 'node:buffer';
import { type Observable, of } from 'rxjs';
import { Gate, turns } from '../../support/wait.js';
import type { EndOptions } from './kit.js';
import type { See } from './row.js';
import { boot, Journal, type World } from './world.js';

@Controller()
class Answers {
  constructor(private readonly journal: Journal) {}

  @MessagePattern(['echo', { cmd: 'echo' }, 7])
  echo(@Payload() data: unknown): unknown {
    this.journal.note(data);
    return data;
  }

  @MessagePattern('three')
  three(): Observable<number> {
    return of(1, 2, 3);
  }

  @MessagePattern('nothing')
  nothing(): void {}

  @MessagePattern('empty')
  empty(): Observable<never> {
    return of();
  }

  @MessagePattern('fails')
  fails(): never {
    throw new RpcException('no stock');
  }

  @EventPattern(['told', { cmd: 'told' }])
  told(@Payload() data: unknown): void {
    this.journal.note(data);
  }
}

/** The codecs of both ends; those that note what they see note it in the Journal that they are given. */
export interface Ends {
  readonly server?: (packets: Journal) => EndOptions;
  readonly client?: (packets: Journal) => EndOptions;
}

/** Does something with handlers that are reached through codecs. */
export function between(ends: Ends, see: (world: World, packets: Journal) => Promise<unknown>): See {
  return async (kit) => {
    const packets = new Journal();
    const world = await boot(kit, {
      controllers: [Answers],
      ...(ends.server && { serverOptions: ends.server(packets) }),
      ...(ends.client && { clientOptions: ends.client(packets) }),
    });
    return await see(world, packets);
  };
}

/** A packet with the type of its id in place of the id, which differs from run to run. */
function shape(packet: unknown): unknown {
  const { id, ...rest } = packet as Record<string, unknown>;
  return id === undefined ? rest : { ...rest, id: typeof id };
}

export const notesSerialized = (packets: Journal): Serializer => ({
  serialize: (packet: unknown) => {
    packets.note(shape(packet));
    return packet;
  },
});

export const notesDeserialized = (packets: Journal): Deserializer => ({
  deserialize: (packet: unknown) => {
    packets.note(shape(packet));
    return packet as never;
  },
});

export const serializeBy = (serialize: (packet: Packet) => unknown): Serializer<Packet> => ({ serialize });

export const deserializeBy = (deserialize: (packet: Packet) => unknown): Deserializer<Packet> => ({
  deserialize: (packet) => deserialize(packet) as never,
});

/** What both kinds of packets may hold. */
export interface Packet {
  readonly pattern?: unknown;
  readonly data?: unknown;
  readonly response?: unknown;
}

const mine = (): never => {
  throw new Error('mine');
};

/** Fails with what is marked, and passes on the rest. */
export const brokenBy = (packet: Packet): Packet =>
  packet.data === 'bad' || packet.response === 'bad' ? mine() : packet;
export const rejectedBy = async (packet: Packet): Promise<Packet> => brokenBy(packet);

/** Takes its time with the first packet: until it has seen `last`, or had time to. */
export function overtaken(isFirst: (packet: Packet) => boolean, isLast: (packet: Packet) => boolean) {
  let sawLast = new Gate();
  return async (packet: Packet): Promise<Packet> => {
    if (isFirst(packet)) {
      sawLast = new Gate();
      await Promise.race([sawLast.opened.then(() => turns()), turns(50)]);
    }
    if (isLast(packet)) sawLast.open();
    return packet;
  };
}

export const later = deserializeBy(async (packet) => {
  await turns(1);
  return packet;
});

/** Packets as text that is no JSON, so that nothing that skips it can pass. */
export const asText: EndOptions = {
  serializer: { serialize: (packet) => Buffer.from(JSON.stringify(packet)).toString('base64') },
  deserializer: {
    deserialize: (text: string) => JSON.parse(Buffer.from(text, 'base64').toString()) as never,
  },
};
