// What storm-client.mjs writes: one frame of each kind; `n` counts.
import { call, frame, hello, KIND, TYPE, u32 } from './wire.mjs';

export const MAX_FRAME_BYTES = 65_536;
export const AT_ONCE = 1000;
/** Of a stream that is given no more: some values. */
export const CREDIT_BYTES = 30;

const SKIPPABLE = 0x80;
const UNKNOWN = 77;
const ITEMS = '{"items":64}';
const METADATA = JSON.stringify({ trace: 'x'.repeat(1000) });

const ask = (id, pattern) => call(TYPE.REQUEST, id, KIND.TEXT, { pattern, payload: 'x' });
const askJson = (id, pattern, payload, credit = 0) =>
  call(TYPE.REQUEST, id, KIND.JSON, { pattern, payload, credit });

export const KINDS = {
  'CANCELs of what is over': (n) => frame(TYPE.CANCEL, n),
  'CANCELs of what runs': (n) => Buffer.concat([ask(n, 'long'), frame(TYPE.CANCEL, n)]),
  // First a chunk of the ones, then of the others.
  'CANCELs of what runs on': (n) =>
    n % AT_ONCE <= AT_ONCE / 2 && n % AT_ONCE > 0
      ? askJson(n, 'wait', '{"ms":1000}')
      : frame(TYPE.CANCEL, n - AT_ONCE / 2),
  'CREDITs of what is over': (n) => frame(TYPE.CREDIT, n, 0, u32(2 ** 31)),
  'CREDITs of nobody': () => frame(TYPE.CREDIT, 0, 0, u32(2 ** 31)),
  PINGs: (n) => frame(TYPE.PING, n),
  PONGs: (n) => frame(TYPE.PONG, n),
  'unknown types that may be skipped': (n) => frame(UNKNOWN, n, SKIPPABLE, Buffer.from('?')),
  'unknown types': (n) => frame(UNKNOWN, n),
  HELLOs: () => hello(MAX_FRAME_BYTES),
  'reused ids': () => ask(7, 'long'),
  'requests past the limit': (n) => ask(n, 'long'),
  'events past the limit': () => call(TYPE.EVENT, 0, KIND.JSON, { pattern: 'rest', payload: '{"ms":1000}' }),
  'metadata past the limit': (n) =>
    call(TYPE.REQUEST, n, KIND.TEXT, { pattern: 'give', payload: 'x', metadata: METADATA }),
  'generators that are not read': (n) => askJson(n, 'count', ITEMS, CREDIT_BYTES),
  'Observables that are not read': (n) => askJson(n, 'burst', ITEMS, CREDIT_BYTES),
};
