// One call in each dialect, its payload a text, and how a connection begins there.
import { call, hello, KIND, packet, TYPE } from './wire.mjs';

const MAX_FRAME_BYTES = 16 * 1024 ** 2;
const NOTHING = Buffer.alloc(0);

export const CALLS = {
  binary: (id, pattern, payload) => call(TYPE.REQUEST, id, KIND.TEXT, { pattern, payload }),
  ndjson: (id, pattern, data) => Buffer.from(`${JSON.stringify({ id, pattern, data })}\n`),
  'nest-json': (id, pattern, data) => packet({ pattern, data, id: `n${id}` }),
  raw: (_id, _pattern, data) => Buffer.from(data),
};

/** What a connection begins with. */
export const OPENINGS = {
  binary: hello(MAX_FRAME_BYTES),
  ndjson: NOTHING,
  'nest-json': NOTHING,
  raw: NOTHING,
};
