// `npm run bench:micro`: the pure functions of src/protocol, one by one. Figures of one machine in one moment: compare two
// builds in turns, never with a figure of another day.
import { Buffer } from 'node:buffer';
import { Bench } from 'tinybench';
import { prepare } from '../prepare.mjs';

prepare();
const PROTOCOL = '../node_modules/nest-uds/dist/protocol';
const [{ FrameEncoder }, { FrameDecoder }, { decodeMessage, encodeMessage, Message }, { FrameType }] =
  await Promise.all(
    ['frame-encoder', 'frame-decoder', 'message', 'frame'].map((file) => import(`${PROTOCOL}/${file}.js`)),
  );
const { payloadOf } = await import('../payloads.mjs');

const MAX_BYTES = 16 * 1024 ** 2;
const FRAMES = 64;

function requestOf(payload) {
  const message = new Message(FrameType.REQUEST, 7);
  message.pattern = 'echo';
  message.payload = payload;
  message.timeoutMs = 30_000;
  message.credit = 262_144;
  return message;
}

function encodeAll(encoder, message) {
  for (let id = 1; id <= FRAMES; id += 1) {
    message.id = id;
    encodeMessage(message, encoder, MAX_BYTES);
  }
  return encoder.take();
}

function decodeAll(decoder, chunk) {
  decoder.push(chunk);
  let count = 0;
  for (let frame = decoder.next(); frame !== undefined; frame = decoder.next()) {
    decodeMessage(frame);
    count += 1;
  }
  return count;
}

const bench = new Bench({ time: 500, warmupTime: 200 });
for (const id of ['s64', 'o1k', 's64k']) {
  const { says, value } = payloadOf(id);
  const message = requestOf(value);
  const chunk = Buffer.concat(encodeAll(new FrameEncoder(), message));
  const encoder = new FrameEncoder();
  const decoder = new FrameDecoder(MAX_BYTES);
  if (decodeAll(decoder, chunk) !== FRAMES) throw new Error('frames are missing');
  bench.add(`encode ${FRAMES} requests, ${says}`, () => encodeAll(encoder, message));
  bench.add(`decode ${FRAMES} requests, ${says}`, () => decodeAll(decoder, chunk));
}

await bench.run();
console.table(
  bench.tasks.map(({ name, result }) => ({
    name,
    'us (median)': Number((result.latency.p50 * 1000).toFixed(2)),
    'us (p99)': Number((result.latency.p99 * 1000).toFixed(2)),
  })),
);
