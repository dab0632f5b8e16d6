import type { Buffer } from 'node:buffer';
import { DialectMenu } from '../protocol/dialects/detect.js';
import type { Dialect } from '../protocol/dialects/dialect.js';
import { errorOf, UdsError } from '../protocol/errors.js';
import type { Message } from '../protocol/message.js';

/** Who is told what is spoken. */
export interface SpeechOwner {
  chosen(dialect: Dialect): void;
  /** A server serves a dialect that has no hello: calls may come at once. */
  begunWithoutHello(): void;
}

/** What is spoken on one connection: a client knows it, a server learns it from the first byte. */
export class Speech {
  /** Undefined until a server knows it. */
  dialect: Dialect | undefined;
  readonly #menu: DialectMenu | undefined;

  constructor(
    speech: Dialect | DialectMenu,
    private readonly owner: SpeechOwner,
  ) {
    this.#menu = speech instanceof DialectMenu ? speech : undefined;
    if (!(speech instanceof DialectMenu)) this.#choose(speech);
  }

  /** Whether each chunk is a call as it comes. */
  get isBare(): boolean {
    return this.dialect?.isBare ?? this.#menu?.isBare === true;
  }

  /** Whether a frame has begun and not come to its end. */
  get isMidFrame(): boolean {
    return this.dialect !== undefined && this.dialect.unfinishedBytes > 0;
  }

  /** Reads a chunk; gives why the connection can't go on. */
  read(chunk: Buffer, receive: (message: Message) => void): UdsError | undefined {
    try {
      this.#dialectOf(chunk).decode(chunk, receive);
      return undefined;
    } catch (error) {
      return protocolErrorOf(error);
    }
  }

  /** Reads what the end of the input completes; gives why that is no good end. */
  readEnd(receive: (message: Message) => void): UdsError | undefined {
    try {
      this.dialect?.end(receive);
      return undefined;
    } catch (error) {
      return protocolErrorOf(error);
    }
  }

  /** The dialect that a chunk is in. @throws ProtocolError UNKNOWN_DIALECT; where it is known all the same, its form says so. */
  #dialectOf(chunk: Buffer): Dialect {
    if (this.dialect !== undefined) return this.dialect;
    const dialect = this.#menu?.detect(chunk[0] ?? 0);
    if (dialect === undefined) {
      throw errorOf('UNKNOWN_DIALECT', `No dialect that is served here begins with the byte ${chunk[0]}.`);
    }
    this.#choose(dialect);
    if (this.#menu?.serves(dialect) !== true) {
      throw errorOf(
        'UNKNOWN_DIALECT',
        `This endpoint does not serve the dialect ${dialect.name} (option dialects of the endpoint).`,
      );
    }
    if (!dialect.hasHello) this.owner.begunWithoutHello();
    return dialect;
  }

  /** Packs why a server ends the connection; whether the dialect has a form for that. */
  sayLastWord(error: UdsError): boolean {
    const { dialect } = this;
    if (this.#menu === undefined || dialect === undefined || error.code === 'CONNECTION_LOST') return false;
    dialect.encodeLastWord(error);
    return !dialect.hasHello;
  }

  #choose(dialect: Dialect): void {
    this.dialect = dialect;
    this.owner.chosen(dialect);
  }
}

/** @throws what is no word about the peer. */
function protocolErrorOf(error: unknown): UdsError {
  if (error instanceof UdsError) return error;
  throw error;
}
