// Valid conversations in each dialect, written by the page (docs/PROTOCOL.md), for handlers of vital-handlers.mjs.

import { call, frame, hello, KIND, packet, TYPE, u32 } from './wire.mjs';

const MAX_CALLS = 12;
const MAX_FRAME_BYTES = 65_536;

/** A pattern and what it takes. */
function question(random) {
  const text = random.pick(['', 'a', 'é€😀', 'x'.repeat(random.below(200))]);
  const pattern = random.pick(['give', 'give', 'wait', 'long', 'count', 'ticks', 'fail', 'nobody']);
  return { pattern, data: { text, ms: random.below(3), items: random.below(9) } };
}

function binaryPart(random, id) {
  const { pattern, data } = question(random);
  const metadata = random.pick(['', '{"trace":"a1"}']);
  const more = { pattern, metadata, timeoutMs: random.pick([0, 50]), credit: random.pick([0, 64, 65_536]) };
  return random.pick([
    () => call(TYPE.REQUEST, id, KIND.JSON, { ...more, payload: JSON.stringify(data) }),
    () => call(TYPE.REQUEST, id, KIND.TEXT, { ...more, payload: data.text }),
    () => call(TYPE.REQUEST, id, KIND.BYTES, { ...more, payload: random.bytes(random.below(200)) }),
    () => call(TYPE.EVENT, 0, KIND.NONE, { pattern: 'noted', payload: '' }),
    () => frame(TYPE.CANCEL, random.below(id + 1)),
    () => frame(TYPE.CREDIT, random.below(id + 1), 0, u32(random.below(2 ** 17))),
    () => frame(random.pick([TYPE.PING, TYPE.PONG]), id),
    () => frame(TYPE.GOAWAY, 0),
  ])();
}

function ndjsonPart(random, id) {
  const { pattern, data } = question(random);
  const line = random.pick([
    () => ({ id, pattern, data, timeoutMs: random.pick([50, 0]) }),
    () => ({ id: `${id}`, pattern: { cmd: pattern }, data }),
    () => ({ id, pattern, data, metadata: { trace: 'a1' } }),
    () => ({ id, pattern, dataBytes: random.bytes(random.below(200)).toString('base64') }),
    () => ({ pattern: 'noted', data }),
    () => ({ id: random.below(id + 1), cancel: true }),
    () => ({ id, ping: true }),
  ])();
  return Buffer.from(`${JSON.stringify(line)}${random.pick(['\n', '\r\n', '\n\n'])}`);
}

function nestJsonPart(random, id) {
  const { pattern, data } = question(random);
  const value = random.pick([
    () => ({ pattern, data, id: `n${id}` }),
    () => ({ pattern: `{"cmd":"${pattern}"}`, data, id: `n${id}` }),
    () => ({ pattern: 'noted', data }),
  ])();
  return packet(value);
}

const PARTS = {
  binary: binaryPart,
  ndjson: ndjsonPart,
  'nest-json': nestJsonPart,
  raw: (random) => random.bytes(random.below(300)),
};

export const DIALECTS = Object.keys(PARTS);

/** The parts of one, in order. */
export function conversation(dialect, random) {
  const parts = Array.from({ length: 1 + random.below(MAX_CALLS) }, (_, index) =>
    PARTS[dialect](random, index + 1),
  );
  return dialect === 'binary' ? [hello(MAX_FRAME_BYTES), ...parts] : parts;
}
