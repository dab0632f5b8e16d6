import type { Buffer } from 'node:buffer';
import { NdjsonDialect } from '../protocol/dialects/ndjson.js';
import { FrameType } from '../protocol/frame.js';
import type { Message } from '../protocol/message.js';

type Receive = (message: Message) => void;

/** A client's end of ndjson, which also tells that an answer to a ping has come. */
export class AnsweringNdjson extends NdjsonDialect {
  #answered: () => void = () => undefined;
  readonly pong = new Promise<void>((resolve) => {
    this.#answered = resolve;
  });

  constructor(maxFrameBytes: number) {
    super(maxFrameBytes, 'client');
  }

  override decode(chunk: Buffer, receive: Receive): void {
    super.decode(chunk, this.#watching(receive));
  }

  override end(receive: Receive): void {
    super.end(this.#watching(receive));
  }

  #watching(receive: Receive): Receive {
    return (message) => {
      if (message.type === FrameType.PONG) this.#answered();
      receive(message);
    };
  }
}
