import { conversation, DIALECTS } from './conversations.mjs';

const MAX_NOISE_BYTES = 2000;
const MAX_FLIPS = 8;
/** Lengths that somebody may not have thought of. */
const ODD_LENGTHS = [
  0,
  1,
  9,
  10,
  11,
  1023,
  1024,
  1025,
  65_535,
  65_536,
  65_537,
  2 ** 24,
  2 ** 31,
  2 ** 32 - 1,
];
/** So that noise gets past the choice of the dialect. */
const FIRST_BYTES = { binary: [0], ndjson: [0x7b, 0x20], 'nest-json': [0x31, 0x39], raw: [0, 0x7b, 0x31] };

const sliceOf = (bytes, random) => {
  const from = random.below(bytes.length + 1);
  return bytes.subarray(from, from + random.below(bytes.length - from + 1));
};

function flip(bytes, random) {
  const flipped = Buffer.from(bytes);
  for (let flips = random.below(MAX_FLIPS) + 1; flips > 0 && flipped.length > 0; flips -= 1)
    flipped[random.below(flipped.length)] ^= 1 << random.below(8);
  return flipped;
}

function splice(bytes, random, piece) {
  const at = random.below(bytes.length + 1);
  return Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at)]);
}

/** Of a part: the first four bytes of a frame, two of its head, or a number in a text. */
function changeLength(part, random) {
  const changed = Buffer.from(part);
  const length = random.pick(ODD_LENGTHS);
  if (changed[0] !== 0) return Buffer.from(part.toString('latin1').replace(/\d+/, `${length}`), 'latin1');
  if (changed.length > 22 && random.below(2) === 0)
    changed.writeUInt16BE(length & 0xffff, random.pick([18, 20]));
  else changed.writeUInt32BE(length, 0);
  return changed;
}

const MUTATIONS = [
  (parts, random) => flip(Buffer.concat(parts), random),
  (parts, random) => sliceOf(Buffer.concat(parts), random),
  (parts, random) => {
    const whole = Buffer.concat(parts);
    return whole.subarray(0, random.below(whole.length + 1));
  },
  (parts, random) => {
    const whole = Buffer.concat(parts);
    return splice(whole, random, sliceOf(whole, random));
  },
  (parts, random) => Buffer.concat([...parts, random.pick(parts), random.pick(parts)]),
  (parts, random) => {
    const other = Buffer.concat(conversation(random.pick(DIALECTS), random));
    return splice(Buffer.concat(parts), random, sliceOf(other, random));
  },
  (parts, random) => {
    const at = random.below(parts.length);
    return Buffer.concat(parts.map((part, index) => (index === at ? changeLength(part, random) : part)));
  },
  (parts, random) => splice(Buffer.concat(parts), random, random.bytes(random.below(50))),
];

/** What one hostile, or broken, peer of a dialect writes. */
export function garbage(dialect, random) {
  if (random.below(5) > 0) return random.pick(MUTATIONS)(conversation(dialect, random), random);
  const noise = random.bytes(1 + random.below(MAX_NOISE_BYTES));
  if (random.below(2) === 0) noise[0] = random.pick(FIRST_BYTES[dialect]);
  return noise;
}
