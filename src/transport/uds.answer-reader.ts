import type { ProducerDeserializer, WritePacket } from '@nestjs/microservices';
import type { Caller } from '../protocol/call.js';
import { UdsError } from '../protocol/errors.js';
import type { Receive } from './uds.abortable-call.js';
import { InOrder } from './uds.in-order.js';

/**
 * Receives the answers of one call as Nest's write packets. They go through the client's deserializer where the
 * application has its own, or where the server sent packets of a serializer.
 */
export class AnswerReader implements Caller {
  #order: InOrder | undefined;

  /** @param id of the packets that the application's own deserializer is given; undefined where it has none. */
  constructor(
    private readonly receive: Receive,
    private readonly deserializer: ProducerDeserializer,
    private readonly id: string | undefined,
  ) {}

  next(value: unknown, isEnveloped: boolean, wireBytes: number): void {
    if (isEnveloped) this.#read(value, false, wireBytes);
    else if (this.id !== undefined) this.#read({ response: value, id: this.id }, false, wireBytes);
    else this.receive({ response: value }, wireBytes);
  }

  end(value: unknown, isEnveloped: boolean): void {
    if (isEnveloped) this.#read(value, true, 0);
    else if (this.id === undefined) this.receive({ response: value, isDisposed: true }, 0);
    else if (value === undefined) this.#read({ isDisposed: true, id: this.id }, true, 0);
    else this.#read({ response: value, isDisposed: true, id: this.id }, true, 0);
  }

  fail(error: unknown, isEnveloped: boolean): void {
    const isOurs = error instanceof UdsError;
    if (isEnveloped) this.#read(error, true, 0);
    else if (this.id !== undefined && !isOurs) this.#readError(error, this.id);
    // An error of the transport is no packet, but must not overtake those that are still being read.
    else if (this.#order !== undefined)
      this.#run(
        () => failure(error),
        (answer) => answer,
        0,
      );
    else this.receive(failure(error), 0);
  }

  #read(packet: unknown, isLast: boolean, wireBytes: number): void {
    this.#run(
      () => this.deserializer.deserialize(packet),
      (answer) => ({ ...answer, isDisposed: isLast || answer.isDisposed === true }),
      wireBytes,
    );
  }

  #readError(err: unknown, id: string): void {
    this.#run(
      () => this.deserializer.deserialize({ err, isDisposed: true, id }),
      // A handler may fail with nothing at all, so the status says that it did, unless an answer was made of it.
      (answer) => ({
        ...answer,
        isDisposed: true,
        ...(answer.response === undefined && { status: 'error' }),
      }),
      0,
    );
  }

  #run(
    read: () => WritePacket | Promise<WritePacket>,
    view: (answer: WritePacket) => WritePacket,
    wireBytes: number,
  ): void {
    this.#order ??= new InOrder();
    this.#order.run({
      read,
      view,
      take: (answer) => this.receive(answer, wireBytes),
      fail: (error) => this.receive(failure(error), wireBytes),
    });
  }
}

const failure = (err: unknown): WritePacket => ({ err, isDisposed: true, status: 'error' });
