import type { ConsumerDeserializer, IncomingEvent, IncomingRequest } from '@nestjs/microservices';
import type { Connection } from '../net/connection.js';
import type { IncomingCall } from '../protocol/call.js';
import { InOrder } from './uds.in-order.js';

/** What a deserializer makes of a call. */
export type RequestPacket = IncomingRequest | IncomingEvent;

/** Reads calls through Nest's deserializer, in the order in which they came on their connection. */
export class RequestReader {
  readonly #orders = new WeakMap<Connection, InOrder>();

  constructor(private readonly deserializer: ConsumerDeserializer) {}

  /** @param run gets the packet. @param refuse gets what the deserializer threw. Exactly one of them is called. */
  read(
    call: IncomingCall,
    connection: Connection,
    run: (packet: RequestPacket) => void,
    refuse: (error: unknown) => void,
  ): void {
    const order = this.#orders.get(connection) ?? new InOrder();
    this.#orders.set(connection, order);
    const packet = call.isEnveloped ? call.payload : packetOf(call);
    order.run(() => this.deserializer.deserialize(packet), run, refuse);
  }
}

/** The packet that Nest's own client would have sent: the pattern of an event is text, that of a message what it was. */
function packetOf(call: IncomingCall): RequestPacket {
  const { pattern, payload: data, metadata, isEvent } = call;
  const packet = { pattern, data, ...(metadata && { metadata }) };
  return isEvent ? packet : { ...packet, pattern: objectOf(pattern) ?? pattern, id: String(call.id) };
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
