import { setMaxListeners } from 'node:events';
import type { WritePacket } from '@nestjs/microservices';
import { errorOf } from '../protocol/errors.js';

/** Takes an answer; it cost `wireBytes` of a stream's credit. */
export type Receive = (packet: WritePacket, wireBytes: number) => void;

/** A call under way, as its caller sees it. */
export interface OpenCall {
  /** A value was taken: its credit may be granted again. */
  consume(wireBytes: number): void;
  /** Nobody waits for an answer any more. */
  cancel(): void;
}

/** A call that an AbortSignal cancels. The signal is let go of when the call is over. */
export class AbortableCall implements OpenCall {
  readonly #call: OpenCall;
  #isOver = false;
  readonly #abort = (): void => {
    this.cancel();
    this.receive({ err: aborted(this.signal), isDisposed: true }, 0);
  };

  /** @throws UsageError CALL_ABORTED where the signal has aborted already; nothing is sent then. */
  constructor(
    private readonly signal: AbortSignal,
    private readonly receive: Receive,
    open: (receive: Receive) => OpenCall,
  ) {
    if (hasAborted(signal)) throw aborted(signal);
    // One signal may end any number of calls: that many listeners are no leak.
    if (signal instanceof EventTarget) setMaxListeners(0, signal);
    this.#call = open((packet, wireBytes) => {
      if (packet.isDisposed === true) this.#end();
      receive(packet, wireBytes);
    });
    if (this.#isOver) return;
    signal.addEventListener('abort', this.#abort);
    // Writing the payload runs its toJSON, which may do anything.
    if (hasAborted(signal)) this.#abort();
  }

  consume(wireBytes: number): void {
    this.#call.consume(wireBytes);
  }

  cancel(): void {
    this.#end();
    this.#call.cancel();
  }

  #end(): void {
    this.#isOver = true;
    this.signal.removeEventListener('abort', this.#abort);
  }
}

/** A function, since the answer changes. */
const hasAborted = (signal: AbortSignal): boolean => signal.aborted;

/** Its cause is what the signal aborted with. */
const aborted = ({ reason }: AbortSignal): Error =>
  errorOf('CALL_ABORTED', 'The call was cancelled by its AbortSignal.', reason);
