import { FLOOR_FRAME_BYTES } from '../protocol/hello.js';
import { CLIENT_OPTION_ROWS } from './uds.client-rows.js';
import { GIB, MAX_TIMEOUT_MS, type OptionRow } from './uds.option-row.js';
import { SERVER_OPTION_ROWS } from './uds.server-rows.js';

const SHARED_ROWS = [
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
    says: 'After how long a silence the peer is asked whether it lives, and how often one of a text dialect or raw that is held back is looked after; 0 is never.',
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
] as const satisfies readonly OptionRow[];

/**
 * Every numeric option, once: validation, docs/options.md and the sidecar's environment variables are made from this
 * table, and a test holds them against it.
 */
export const OPTION_TABLE = [...SHARED_ROWS, ...SERVER_OPTION_ROWS, ...CLIENT_OPTION_ROWS] as const;
