import { BINARY_FIRST_BYTE, BinaryDialect } from './binary.js';
import type { Dialect, DialectName } from './dialect.js';
import { beginsLine, NdjsonDialect } from './ndjson.js';
import { isDigit, NestJsonDialect } from './nest-json.js';
import { RawDialect } from './raw.js';

/** What an endpoint speaks. */
export interface DialectMenuSettings {
  readonly dialects: readonly DialectName[];
  /** The pattern of `raw`, which stands alone: its connections begin with any byte. */
  readonly pattern: string | undefined;
  readonly maxFrameBytes: number;
}

/** Tells the dialect of a connection to a server by its first byte. */
export class DialectMenu {
  constructor(private readonly settings: DialectMenuSettings) {}

  /** Whether what comes has no envelope, whatever the first byte. */
  get isBare(): boolean {
    return this.settings.pattern !== undefined;
  }

  /** The dialect that the first byte announces, served or not; undefined where none begins like that. */
  detect(firstByte: number): Dialect | undefined {
    const { pattern, maxFrameBytes } = this.settings;
    if (pattern !== undefined) return new RawDialect(pattern);
    if (firstByte === BINARY_FIRST_BYTE) return new BinaryDialect(maxFrameBytes);
    if (beginsLine(firstByte)) return new NdjsonDialect(maxFrameBytes, 'server');
    return isDigit(firstByte) ? new NestJsonDialect(maxFrameBytes) : undefined;
  }

  serves(dialect: Dialect): boolean {
    return this.settings.dialects.includes(dialect.name);
  }
}
