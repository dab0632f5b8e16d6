/** What a shell is told; README lists them. */
export const ExitCode = {
  OK: 0,
  /** The call failed, echoes were lost, the server is not healthy, or it could not be reached. */
  FAILED: 1,
  /** The command line itself is wrong. */
  USAGE: 2,
  /** Ended by Ctrl-C: 128 and the number of SIGINT, as shells count. */
  INTERRUPTED: 130,
} as const;

/** The command line can't be carried out as it stands. */
export class CommandLineError extends Error {}
