import type { ProducerDeserializer, WritePacket } from '@nestjs/microservices';
import type { Caller } from '../protocol/call.js';
import type { Receive } from './uds.abortable-call.js';
import { InOrder } from './uds.in-order.js';

/**
 * Receives the answers of one call as Nest's write packets. They go through the client's deserializer where the
 * application has its own, or where the server sent packets of a serializer.
 */
export class AnswerReader implements Caller {
  #order: InOrder | undefined;

  constructor(
    private readonly receive: Receive,
    private readonly deserializer: ProducerDeserializer,
    private readonly readsAll: boolean,
  ) {}

  next(value: unknown, isEnveloped: boolean, wireBytes: number): void {
    if (isEnveloped || this.readsAll) this.#read(isEnveloped ? value : { response: value }, false, wireBytes);
    else this.receive({ response: value }, wireBytes);
  }

  end(value: unknown, isEnveloped: boolean): void {
    if (isEnveloped || this.readsAll)
      this.#read(isEnveloped ? value : { response: value, isDisposed: true }, true, 0);
    else this.receive({ response: value, isDisposed: true }, 0);
  }

  fail(error: unknown, isEnveloped: boolean): void {
    // An error of the transport is no packet, but must not overtake those that are still being read.
    if (isEnveloped || this.#order !== undefined) this.#read(isEnveloped ? error : failure(error), true, 0);
    else this.receive(failure(error), 0);
  }

  #read(packet: unknown, isLast: boolean, wireBytes: number): void {
    this.#order ??= new InOrder();
    this.#order.run(
      () => this.deserializer.deserialize(packet),
      (answer) => this.receive({ ...answer, isDisposed: isLast || answer.isDisposed === true }, wireBytes),
      (error) => this.receive(failure(error), wireBytes),
    );
  }
}

const failure = (err: unknown): WritePacket => ({ err, isDisposed: true, status: 'error' });
