import type { Buffer } from 'node:buffer';
import type { Message } from '../message.js';

/**
 * A wire format: bytes to messages and back. One instance serves one connection. It keeps the bytes of an unfinished
 * frame and the messages that were encoded and not yet taken, and knows nothing of calls.
 */
export interface Dialect {
  readonly name: string;

  /**
   * Reads a chunk and hands over each whole message before the next one is read.
   *
   * @param chunk belongs to the socket: nothing of it is kept once this returns, but for what was copied.
   * @throws ProtocolError: the connection can't go on.
   */
  decode(chunk: Buffer, receive: (message: Message) => void): void;

  /** @throws ProtocolError FRAME_CUT where the input ended inside a frame. */
  end(): void;

  /**
   * Packs a message behind those that wait; gives how many bytes it took.
   *
   * @throws UsageError where the message can't be written; nothing of it is left then.
   */
  encode(message: Message): number;

  readonly pendingBytes: number;
  readonly pendingFrames: number;

  /** Hands over what was packed, in order. The chunks belong to the caller from then on. */
  take(): Buffer[];
}
