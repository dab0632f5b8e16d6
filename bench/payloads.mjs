// What is echoed. `bytes` is what it takes as its plain bytes, or as JSON.
import { Buffer } from 'node:buffer';

/** Twenty mixed fields, 1 KiB as JSON; `copies` of them. */
function objectOf(copies) {
  const fields = (turn) => ({
    id: 1_000_000 + turn,
    name: 'Ada Lovelace',
    email: 'ada.lovelace@example.com',
    isActive: true,
    balanceCents: 1_234_567,
    ratio: 0.618_033_988_7,
    createdAt: '2026-11-28T12:34:56.789Z',
    updatedAt: '2026-11-29T01:02:03.004Z',
    parent: null,
    tags: ['urgent', 'customer', 'north', 'wholesale'],
    address: { street: '12 St James’s Square', city: 'London', zip: 'SW1Y 4JH', country: 'GB' },
    limits: { daily: 5_000, weekly: 20_000, monthly: 75_000 },
    scores: [1, 2.5, 3.75, 4.125, 5.062_5, 6, 7, 8],
    locale: 'en-GB',
    currency: 'GBP',
    phone: '+44 20 7946 0000',
    note: 'Prefers to be called in the morning; pays by the end of the month. '.repeat(6),
    token: '7f3c9a1e5b8d2f4060718293a4b5c6d7f3c9a1e5b8d2f40',
    isVerified: false,
    visits: 42,
  });
  return copies === 1 ? fields(0) : Array.from({ length: copies }, (_, turn) => fields(turn));
}

const ofText = (says, length) => {
  const value = 'x'.repeat(length);
  return { says, value, bytes: length, isEcho: (got) => got === value };
};

const ofObject = (says, copies) => {
  const value = objectOf(copies);
  const text = JSON.stringify(value);
  return { says, value, bytes: Buffer.byteLength(text), isEcho: (got) => JSON.stringify(got) === text };
};

const ofBytes = (says, length) => {
  const value = Buffer.alloc(length, 'nest-uds');
  // What speaks JSON alone gives back what JSON makes of a Buffer.
  const isEcho = (got) => value.equals(got instanceof Uint8Array ? got : Buffer.from(got?.data ?? []));
  return { says, value, bytes: length, isEcho };
};

const made = new Map();
const MAKERS = {
  s64: () => ofText('64 B string', 64),
  o1k: () => ofObject('1 KiB object', 1),
  s64k: () => ofText('64 KiB string', 65_536),
  o64k: () => ofObject('64 KiB object', 64),
  b1m: () => ofBytes('1 MiB Buffer', 1_048_576),
};

/** @param id s64, o1k, s64k, o64k or b1m. */
export function payloadOf(id) {
  if (!made.has(id)) made.set(id, MAKERS[id]());
  return made.get(id);
}
