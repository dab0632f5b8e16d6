import type { ConsumerDeserializer, IncomingEvent, IncomingRequest } from '@nestjs/microservices';
import type { Connection } from '../net/connection.js';
import type { IncomingCall } from '../protocol/call.js';
import type { Metadata } from '../protocol/payload-codec.js';
import { InOrder } from './uds.in-order.js';

/** What a deserializer makes of a call. */
type RequestPacket = IncomingRequest | IncomingEvent;

/** What is run of it. */
export interface ReadRequest {
  readonly pattern: string;
  readonly data: unknown;
  readonly metadata: Metadata | undefined;
}

/** Reads calls through Nest's deserializer, in the order in which they came on their connection. */
export class RequestReader {
  readonly #orders = new WeakMap<Connection, InOrder>();

  /** @param textOf Nest's way to write a pattern, which a packet may hold as any value. */
  constructor(
    private readonly deserializer: ConsumerDeserializer,
    private readonly textOf: (pattern: unknown) => string | undefined,
  ) {}

  /** Exactly one of `run` and `refuse` is called; the latter where the deserializer threw, or made no packet. */
  read(
    call: IncomingCall,
    connection: Connection,
    run: (request: ReadRequest) => void,
    refuse: () => void,
  ): void {
    const order = this.#orders.get(connection) ?? new InOrder();
    this.#orders.set(connection, order);
    const packet = call.isEnveloped ? call.payload : packetOf(call);
    order.run({
      read: () => this.deserializer.deserialize(packet),
      view: (made) => this.#view(made),
      take: run,
      fail: refuse,
    });
  }

  /** @throws what the packet throws when it is looked at. */
  #view({ pattern, data, metadata }: RequestPacket): ReadRequest {
    const text = this.textOf(pattern ?? '');
    assertText(text);
    return { pattern: text, data, metadata };
  }
}

function assertText(text: unknown): asserts text is string {
  if (typeof text !== 'string') throw new TypeError('The pattern of the packet has no text.');
}

/** The packet that Nest's own client would have sent: the pattern of an event is text, that of a message what it was. */
function packetOf(call: IncomingCall): RequestPacket {
  const { pattern, payload: data, metadata, isEvent, peerId } = call;
  const packet = { pattern, data, ...(metadata && { metadata }) };
  return isEvent
    ? packet
    : {
        ...packet,
        pattern: objectOf(pattern) ?? pattern,
        id: (peerId as string | undefined) ?? String(call.id),
      };
}

/** The object that a pattern is the text of, if it is one. */
function objectOf(text: string): object | undefined {
  if (!text.startsWith('{')) return undefined;
  try {
    return JSON.parse(text) as object;
  } catch {
    return undefined;
  }
}
