/**
 * What JSON leaves as it is and a terminal or a reader of logs takes for a command, the end of a line, a turn of it, or for
 * nothing at all: controls, formats (bidi overrides and marks, zero-width and tag characters), private and unassigned
 * ones, lone surrogates, the two separators.
 */
const UNSEEN = /[\p{C}\p{Zl}\p{Zp}]/gu;

const MAX_QUOTED_LENGTH = 100;

const hex = (unit: number): string => `\\u${unit.toString(16).padStart(4, '0')}`;

/** A text as one line that shows all there is in it, whatever a peer put into it. */
export const escapeUnseen = (text: string): string =>
  text.replace(UNSEEN, (character) =>
    Array.from({ length: character.length }, (_, index) => hex(character.charCodeAt(index))).join(''),
  );

/** A text of a peer, or a name that somebody gave to a file, as one short line, which can't forge another one. */
export function quote(text: string): string {
  const short = text.length <= MAX_QUOTED_LENGTH ? text : `${text.slice(0, MAX_QUOTED_LENGTH)}...`;
  return escapeUnseen(JSON.stringify(short));
}
