import { FLOOR_EVENTS, FLOOR_FRAME_BYTES, FLOOR_IN_FLIGHT } from '../protocol/hello.js';

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

const MAX_TIMEOUT_MS = 0x7fffffff;
const GIB = 1024 ** 3;

/** Of the server, and of an endpoint that has its own. */
export const MODE_ROW = {
  name: 'mode',
  side: 'server',
  default: 0o600,
  unit: 'octal',
  min: 0,
  max: 0o777,
  says: 'Permissions of the socket file; connecting needs the write bit.',
} as const satisfies OptionRow;

/**
 * Every numeric option, once: validation, docs/options.md and the sidecar's environment variables are made from this
 * table, and a test holds them against it.
 */
export const OPTION_TABLE = [
  {
    name: 'maxFrameBytes',
    side: 'both',
    default: 16 * 1024 ** 2,
    unit: 'bytes',
    min: FLOOR_FRAME_BYTES,
    max: GIB,
    says: 'The longest frame that this end takes.',
  },
  {
    name: 'maxBufferedBytes',
    side: 'both',
    default: 1024 ** 2,
    unit: 'bytes',
    min: 65_536,
    max: GIB,
    says: 'What may wait to be written on one connection before a server stops reading there and a client lets calls wait.',
  },
  {
    name: 'closeTimeoutMs',
    side: 'both',
    default: 10_000,
    unit: 'ms',
    min: 1,
    max: MAX_TIMEOUT_MS,
    says: 'How long close() waits for what runs before it cuts.',
  },
  {
    name: 'heartbeatIntervalMs',
    side: 'both',
    default: 15_000,
    unit: 'ms',
    min: 0,
    max: MAX_TIMEOUT_MS,
    says: 'After how long a silence the peer is asked whether it lives; 0 is never.',
  },
  {
    name: 'heartbeatTimeoutMs',
    side: 'both',
    default: 45_000,
    unit: 'ms',
    min: 1,
    max: MAX_TIMEOUT_MS,
    says: 'How long it may take to answer; longer than any handler computes without a pause.',
  },
  MODE_ROW,
  {
    name: 'uid',
    side: 'server',
    default: undefined,
    unit: 'id',
    min: 0,
    max: 0xfffffffe,
    says: 'Owner of the socket file.',
  },
  {
    name: 'gid',
    side: 'server',
    default: undefined,
    unit: 'id',
    min: 0,
    max: 0xfffffffe,
    says: 'Group of the socket file.',
  },
  {
    name: 'backlog',
    side: 'server',
    default: 511,
    unit: 'count',
    min: 1,
    max: 65_535,
    says: 'Connections that may wait to be accepted; the system caps it too.',
  },
  {
    name: 'maxConnections',
    side: 'server',
    default: 16_384,
    unit: 'count',
    min: 1,
    max: 1_000_000,
    says: 'Connections that may be open on one endpoint; one more is refused. One that is silent from its first moment is not timed out.',
  },
  {
    name: 'maxInFlight',
    side: 'server',
    default: 2048,
    unit: 'count',
    min: FLOOR_IN_FLIGHT,
    max: 1_000_000,
    says: 'Requests in flight on one connection; a client lets the next one wait.',
  },
  {
    name: 'maxEvents',
    side: 'server',
    default: 1024,
    unit: 'count',
    min: FLOOR_EVENTS,
    max: 1_000_000,
    says: 'Events under way on one connection; a client lets the next one wait.',
  },
  {
    name: 'maxMetadataBytes',
    side: 'server',
    default: 8192,
    unit: 'bytes',
    min: 0,
    max: 65_535,
    says: 'The longest metadata of one call, as JSON.',
  },
  {
    name: 'maxStreamBufferBytes',
    side: 'server',
    default: 1024 ** 2,
    unit: 'bytes',
    min: 1024,
    max: GIB,
    says: 'What an Observable may be ahead of its reader before its call fails with STREAM_OVERFLOW.',
  },
  {
    name: 'slowReaderTimeoutMs',
    side: 'server',
    default: 30_000,
    unit: 'ms',
    min: 1,
    max: MAX_TIMEOUT_MS,
    says: 'How long one write may take to leave, while more than maxBufferedBytes wait for its peer, before the connection is cut.',
  },
  {
    name: 'helloTimeoutMs',
    side: 'server',
    default: 5000,
    unit: 'ms',
    min: 1,
    max: MAX_TIMEOUT_MS,
    says: "How long a client's hello may take, from its first byte.",
  },
  {
    name: 'probeTimeoutMs',
    side: 'server',
    default: 1000,
    unit: 'ms',
    min: 1,
    max: MAX_TIMEOUT_MS,
    says: 'How long a server that is there already may take to say who it is, and that it leaves; silence counts as alive.',
  },
  {
    name: 'lockTimeoutMs',
    side: 'server',
    default: 10_000,
    unit: 'ms',
    min: 1,
    max: MAX_TIMEOUT_MS,
    says: 'How long others who bind, replace or remove the same socket file are waited for.',
  },
  {
    name: 'fileCheckIntervalMs',
    side: 'server',
    default: 2000,
    unit: 'ms',
    min: 0,
    max: MAX_TIMEOUT_MS,
    says: 'How often it is looked whether the socket file is still there; 0 is never.',
  },
  {
    name: 'silentDrainMs',
    side: 'server',
    default: 500,
    unit: 'ms',
    min: 0,
    max: MAX_TIMEOUT_MS,
    says: 'How long a closing server waits for the first word of who has connected and said nothing.',
  },
  {
    name: 'connections',
    side: 'client',
    default: 1,
    unit: 'count',
    min: 1,
    max: 1024,
    says: 'Connections that calls are spread over; each keeps the order of its own calls, and counts towards the maxConnections of the server.',
  },
  {
    name: 'connectTimeoutMs',
    side: 'client',
    default: 2000,
    unit: 'ms',
    min: 1,
    max: MAX_TIMEOUT_MS,
    says: 'How long connect() and the calls that wait for it try to reach a server.',
  },
  {
    name: 'reconnectTimeoutMs',
    side: 'client',
    default: 60_000,
    unit: 'ms',
    min: 0,
    max: MAX_TIMEOUT_MS,
    says: 'How long a client that has lost its server tries to get it back while no call asks for it.',
  },
  {
    name: 'requestTimeoutMs',
    side: 'client',
    default: 30_000,
    unit: 'ms',
    min: 0,
    max: MAX_TIMEOUT_MS,
    says: 'How long a call waits for its first answer; 0 waits for ever.',
  },
  {
    name: 'maxQueuedCalls',
    side: 'client',
    default: 100_000,
    unit: 'count',
    min: 1,
    max: 10_000_000,
    says: 'Calls that may wait to be sent; one more fails with QUEUE_FULL.',
  },
  {
    name: 'streamCreditBytes',
    side: 'client',
    default: 262_144,
    unit: 'bytes',
    min: 1024,
    max: GIB,
    says: 'What the answers of one stream may be ahead of their reader.',
  },
  {
    name: 'reconnectDelayMs',
    side: 'client',
    default: 10,
    unit: 'ms',
    min: 1,
    max: MAX_TIMEOUT_MS,
    says: 'The longest wait before the second attempt to connect; it doubles with each.',
  },
  {
    name: 'maxReconnectDelayMs',
    side: 'client',
    default: 250,
    unit: 'ms',
    min: 1,
    max: MAX_TIMEOUT_MS,
    says: 'The longest wait between two attempts to connect.',
  },
] as const satisfies readonly OptionRow[];
