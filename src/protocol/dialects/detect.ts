import { BINARY_FIRST_BYTE, BinaryDialect } from './binary.js';
import type { Dialect } from './dialect.js';

/** The dialect that a connection's first byte announces; undefined where none begins like that. */
export function detectDialect(firstByte: number, maxFrameBytes: number): Dialect | undefined {
  return firstByte === BINARY_FIRST_BYTE ? new BinaryDialect(maxFrameBytes) : undefined;
}
