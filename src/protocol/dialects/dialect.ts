import type { Buffer } from 'node:buffer';
import type { UdsError } from '../errors.js';
import type { Message } from '../message.js';

export const DIALECT_NAMES = ['binary', 'ndjson', 'nest-json', 'raw'] as const;
export type DialectName = (typeof DIALECT_NAMES)[number];

/**
 * A wire format: bytes to messages and back. One instance serves one connection. It keeps the bytes of an unfinished
 * frame and the messages that were encoded and not yet taken, and knows nothing of calls.
 */
export interface Dialect {
  readonly name: DialectName;
  /**
   * Whether both ends begin with a hello, which tells limits, and say when they leave. Without one a peer is held back by
   * reading no more, and the end of its input means no more than that no calls will come.
   */
  readonly hasHello: boolean;
  /** Whether answers have neither an id nor a form for an error: calls then run one at a time, and an error ends the connection. */
  readonly isBare: boolean;
  /** Whether a peer may stop reading while it writes, so that it must never be waited for with its answers. */
  readonly mayStopReading: boolean;
  /** Whether packets of the application's own serializer travel in it. */
  readonly hasPackets: boolean;

  /**
   * Reads a chunk and hands over each whole message before the next one is read.
   *
   * @param chunk belongs to the dialect until the next one comes, or until `letGo`: the end of it may be kept where it lies.
   * @throws UdsError: the connection can't go on. A ProtocolError, or what the server said why it ends.
   */
  decode(chunk: Buffer, receive: (message: Message) => void): void;

  /** Copies what is kept of the last chunk, whose memory is going to be used again; where a dialect can't, it is never asked to. */
  letGo?(): void;

  /** Reads what the end of the input completes. @throws ProtocolError FRAME_CUT where it ended inside a frame. */
  end(receive: (message: Message) => void): void;

  /**
   * Packs a message behind those that wait; gives how many bytes it took, 0 for what the dialect has no form for.
   *
   * @throws UsageError where the message can't be written; nothing of it is left then.
   */
  encode(message: Message): number;

  /** Packs why the connection ends, for a peer of a server, where the dialect has a form for that. */
  encodeLastWord(error: UdsError): void;

  /** Room that a frame which has begun and not ended takes, or may come to take; 0 between frames. */
  readonly unfinishedBytes: number;
  /** What the call that it is may count as in memory. */
  readonly unfinishedCost: number;

  readonly pendingBytes: number;
  readonly pendingFrames: number;

  /** Hands over what was packed, in order. The chunks belong to the caller from then on. */
  take(): Buffer[];
}
