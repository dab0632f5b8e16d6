/** What the echo service and its client agree on. */
export const ECHO_PATTERN = 'echo';
export const ECHO_STREAM_PATTERN = 'echo.stream';
export const HEALTH_PATTERN = 'health';

/** The highest count that `echo.stream` takes. */
export const MAX_STREAM_COUNT = 10_000_000;

/** The `code` of the error that refuses what `echo.stream` was given. */
export const INVALID_STREAM_ITEMS = 'INVALID_STREAM_ITEMS';

/** What `health` tells of the server that answered. */
export interface EchoHealth {
  /** How long the process has been running. */
  readonly uptimeMs: number;
  /** The version of nest-uds. */
  readonly version: string;
  readonly pid: number;
  readonly connections: number;
  /** Requests answered and events run to their end, since the server listens. */
  readonly callsServed: number;
  /** What runs now, the call that asks included. */
  readonly callsInFlight: number;
  /** Where the server is reached, each with its dialects and the connections that came there. */
  readonly endpoints: readonly EndpointHealth[];
}

/** One of the places where the server is reached. */
export interface EndpointHealth {
  readonly path: string;
  readonly dialects: readonly string[];
  /** Of a raw endpoint: the pattern that its bytes are for. */
  readonly pattern?: string;
  readonly connections: number;
}
