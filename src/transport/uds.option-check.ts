import { errorOf } from '../protocol/errors.js';
import type { ChoiceRow } from './uds.choice-table.js';
import type { OptionRow } from './uds.option-row.js';
import { show } from './uds.show.js';

/** @throws UsageError INVALID_OPTION that names the keys which are not known. */
export function refuseUnknown(what: string, given: object, known: readonly string[]): void {
  const unknown = Object.keys(given).filter((name) => !known.includes(name));
  if (unknown.length === 0) return;
  throw errorOf('INVALID_OPTION', `Unknown ${what}: ${unknown.join(', ')}. Known are: ${known.join(', ')}.`);
}

/** @throws UsageError INVALID_OPTION */
export function pathOf(name: string, value: unknown): string {
  if (typeof value === 'string' && value !== '' && !value.includes('\0')) return value;
  throw errorOf('INVALID_OPTION', `Option ${name} must be the path of a socket file, got ${show(value)}.`);
}

/** What is given, or the default of the row. @throws UsageError INVALID_OPTION */
export function numberOf(row: OptionRow, name: string, value: unknown): number | undefined {
  if (value === undefined) return row.default;
  if (Number.isInteger(value) && (value as number) >= row.min && (value as number) <= row.max)
    return value as number;
  throw errorOf(
    'INVALID_OPTION',
    `Option ${name} must be a whole number from ${showBound(row, row.min)} to ${showBound(row, row.max)}, got ${show(value)}.`,
  );
}

/** What is given, or the default of the row. @throws UsageError INVALID_OPTION */
export function choiceOf({ name, choices }: ChoiceRow, value: unknown): string {
  if (value === undefined) return choices[0];
  if (typeof value === 'string' && choices.includes(value)) return value;
  throw errorOf('INVALID_OPTION', `Option ${name} must be one of ${choices.join(', ')}, got ${show(value)}.`);
}

function showBound(row: OptionRow, bound: number): string {
  if (row.unit === 'octal') return `0o${bound.toString(8)}`;
  return row.unit === 'bytes' || row.unit === 'ms' ? `${bound} ${row.unit}` : String(bound);
}
