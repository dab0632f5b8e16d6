/** How many milliseconds are waited where the command line does not say. */
export const TimeLimit = {
  /** For the connection and the server's hello. Also where the command line says 0. */
  CONNECT: 2_000,
  ECHO: 2_000,
  HEALTH: 2_000,
  SEND: 30_000,
} as const;
