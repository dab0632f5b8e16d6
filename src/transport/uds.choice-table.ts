/** One option that is a word. */
export interface ChoiceRow {
  readonly name: string;
  /** The first one is the default. */
  readonly choices: readonly [string, ...string[]];
  readonly says: string;
}

/** Every option of a server that is a word, once: validation, docs/options.md and the sidecar's environment are made from it. */
export const CHOICE_TABLE = [
  {
    name: 'onLive',
    choices: ['refuse', 'takeover'],
    says: 'What to do where a live server has the socket file: fail with ADDRESS_IN_USE, or take its place; it then finishes what it has and closes.',
  },
  {
    name: 'onGone',
    choices: ['warn', 'recreate'],
    says: 'What to do where the socket file is gone while the server lives: say so, or make it anew too.',
  },
  {
    name: 'onOpenDirectory',
    choices: ['refuse', 'warn'],
    says: 'What to do where everybody may write a directory on the way to the socket file that is not sticky: fail with OPEN_DIRECTORY, or say so in the log.',
  },
] as const satisfies readonly ChoiceRow[];
