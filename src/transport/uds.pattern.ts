import { errorOf } from '../protocol/errors.js';

/**
 * A pattern as it travels: a string as it is, anything else as its JSON text, its keys in the order given. A string with
 * lone surrogates has no UTF-8 and goes as JSON too; the server's look-up reads both.
 *
 * @throws UsageError INVALID_PATTERN where it has no JSON text.
 */
export function patternText(pattern: unknown): string {
  if (typeof pattern === 'string' && pattern.isWellFormed()) return pattern;
  let text: unknown;
  try {
    text = JSON.stringify(pattern);
  } catch {
    text = undefined;
  }
  if (typeof text !== 'string') {
    throw errorOf(
      'INVALID_PATTERN',
      `A pattern must be a string, a number or a plain object, got a ${typeof pattern} that JSON can not hold.`,
    );
  }
  // An object whose toJSON gave a string, such as a Date, is that string.
  return typeof pattern === 'object' && text.startsWith('"') ? patternText(JSON.parse(text)) : text;
}

/** The pattern that a handler is told: the text as it came, unless JSON stands for a string that has no UTF-8. */
export function patternOfText(text: string): string {
  if (!text.startsWith('"')) return text;
  try {
    const pattern: unknown = JSON.parse(text);
    return typeof pattern === 'string' && !pattern.isWellFormed() ? pattern : text;
  } catch {
    return text;
  }
}
