import { errorOf } from '../protocol/errors.js';

/**
 * A pattern as it travels: a string as it is, anything else as its JSON text, its keys in the order given.
 *
 * @throws UsageError INVALID_PATTERN where it has no JSON text.
 */
export function patternText(pattern: unknown): string {
  if (typeof pattern === 'string') return pattern;
  let text: unknown;
  try {
    text = JSON.stringify(pattern);
  } catch {
    text = undefined;
  }
  if (typeof text === 'string') return text;
  throw errorOf(
    'INVALID_PATTERN',
    `A pattern must be a string, a number or a plain object, got a ${typeof pattern} that JSON can not hold.`,
  );
}
