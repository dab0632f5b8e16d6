import type { Dialect } from '../../src/protocol/dialects/dialect.js';
import { NdjsonDialect } from '../../src/protocol/dialects/ndjson.js';
import { End, type PairOptions } from './connection-pair.js';
import { MIB } from './reading.js';

/** A server to which a peer says text by hand. */
export class TextServer extends End {
  constructor(dialect: Dialect = new NdjsonDialect(MIB, 'server'), options: PairOptions = {}) {
    super('server', { ...options, dialect });
    this.session.openWithoutHello();
  }

  say(text: string, nowMs = 0): this {
    this.dialect.decode(Buffer.from(text), (each) => this.session.receive(each, nowMs));
    return this;
  }

  line(line: unknown, nowMs = 0): this {
    return this.say(`${JSON.stringify(line)}\n`, nowMs);
  }

  /** What it has written since. */
  heard(): string {
    return Buffer.concat(this.dialect.take()).toString();
  }

  /** The same as the lines that it is. */
  heardLines(): unknown[] {
    return this.heard()
      .split('\n')
      .slice(0, -1)
      .map((line): unknown => JSON.parse(line));
  }
}

/** A request as a line of ndjson, or as a packet of nest-json. */
export const asks = (id: unknown, more: object = {}): object => ({ id, pattern: 'echo', ...more });
/** A packet as Nest's own client writes it. */
export const packed = (packet: object): string =>
  `${JSON.stringify(packet).length}#${JSON.stringify(packet)}`;

export const textServer = (options: PairOptions = {}): TextServer => new TextServer(undefined, options);
