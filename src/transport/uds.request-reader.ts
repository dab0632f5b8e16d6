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

function packetOf(call: IncomingCall): RequestPacket {
  const packet = {
    pattern: call.pattern,
    data: call.payload,
    ...(call.metadata && { metadata: call.metadata }),
  };
  return call.isEvent ? packet : { ...packet, id: String(call.id) };
}
