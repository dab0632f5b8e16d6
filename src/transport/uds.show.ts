/** A value that somebody gave in place of another, as an error names it; whatever it is, showing it does not throw. */
export function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'function') return 'a function';
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}

/** What JSON leaves as it is and a terminal or a reader of logs takes for a command, the end of a line, or a turn of it. */
const UNSEEN = /[\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g;

/** A text of a peer as one short line, which can't forge another one. */
export function quote(text: string): string {
  const json = JSON.stringify(text.length <= 100 ? text : `${text.slice(0, 100)}...`);
  return json.replace(UNSEEN, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
