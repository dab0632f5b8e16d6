export type OptionSide = 'server' | 'client' | 'both';

/** One numeric option. */
export interface OptionRow {
  readonly name: string;
  readonly side: OptionSide;
  /** `undefined`: left as the system has it. */
  readonly default: number | undefined;
  readonly unit: 'bytes' | 'ms' | 'count' | 'octal' | 'id';
  readonly min: number;
  readonly max: number;
  readonly says: string;
}

export const MAX_TIMEOUT_MS = 0x7fffffff;
export const GIB = 1024 ** 3;
