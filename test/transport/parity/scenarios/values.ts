import { Buffer } from 'node:buffer';
import { echoed, echoing, thereAndBack } from '../echo.js';
import { exception, type Row, type Scenario } from '../row.js';
import { completes, trace } from '../trace.js';
import { served } from '../world.js';

/** A Buffer by its text. */
const asBytes = (value: unknown): unknown =>
  Buffer.isBuffer(value) ? `the Buffer ${value.toString()}` : value;

const LARGE = 'x'.repeat(1_000_000);
const plain: Row[] = [
  echoed('a string', ['hi']),
  echoed('an empty string', ['']),
  echoed('a string of 1,000,000 characters', [LARGE]),
  echoed('emoji, combining marks and ZWJ sequences', [
    'naïve ☃ 漢字 \u{1F98A} \u{1D4B3} \u{1F468}\u200D\u{1F469}\u200D\u{1F467} e\u0301',
  ]),
  echoed('U+2028, U+FEFF, U+FFFD, U+FFFF', ['\u2028\u2029', '\uFEFFbegins', '\uFFFD', '\uFFFF']),
  echoed('strings with lone surrogates', ['a\uD800b', '\uDC00\uD800', { '\uD800': '\uDFFF' }]),
  echoed('strings with control characters, quotes and backslashes', [
    '\0\x01\b\t\n\r\x1F\x7F\x80',
    '"\\"\\\\/#',
    '7#"x"',
  ]),
  echoed('integers, fractions, the largest and the smallest number', [
    0,
    1,
    -1,
    1.5,
    1e21,
    5e-324,
    Number.MAX_VALUE,
    Number.MAX_SAFE_INTEGER,
  ]),
  echoed('NaN and Infinity arrive as null, -0 as 0', [NaN, Infinity, -Infinity, -0], [null, null, null, 0]),
  echoed('booleans', [true, false]),
];

const bytes: Row[] = [
  exception('a Buffer', thereAndBack([Buffer.from('hi'), Buffer.alloc(0)], asBytes), {
    tcp: {
      says: 'arrives as `{ type, data }`',
      sees: [
        { type: 'Buffer', data: [104, 105] },
        { type: 'Buffer', data: [] },
      ],
    },
    uds: { says: 'arrives as a Buffer', sees: ['the Buffer hi', 'the Buffer '] },
    because: 'Bytes at the top level travel as they are: nobody sends a Buffer to get an array of numbers.',
  }),
  exception('a Uint8Array', thereAndBack([new Uint8Array([104, 105])], asBytes), {
    tcp: { says: 'arrives as an object with a key for each byte', sees: [{ 0: 104, 1: 105 }] },
    uds: { says: 'arrives as a Buffer', sees: ['the Buffer hi'] },
    because: 'Bytes at the top level travel as they are, whatever holds them.',
  }),
  echoed(
    'a Buffer and a Uint8Array inside an object: as JSON writes them',
    [{ buffer: Buffer.from('hi'), array: new Uint8Array([1]) }],
    [{ buffer: { type: 'Buffer', data: [104, 105] }, array: { 0: 1 } }],
  ),
  echoed(
    'ArrayBuffer, DataView, Uint16Array, Float64Array: as JSON writes them',
    [new ArrayBuffer(2), new DataView(new ArrayBuffer(2)), new Uint16Array([256]), new Float64Array([1.5])],
    [{}, {}, { 0: 256 }, { 0: 1.5 }],
  ),
  exception(
    'a payload object changed in the same tick, after `send` was subscribed to',
    served(echoing, async ({ client }) => {
      const payload = { count: 1 };
      const answer = trace(client.send('echo', payload));
      payload.count = 2;
      return await answer;
    }),
    {
      tcp: { says: 'travels as it was changed', sees: completes({ count: 2 }) },
      uds: { says: 'travels as it was', sees: completes({ count: 1 }) },
      because: 'What is sent is what was given to `send`.',
    },
  ),
  exception(
    "the `key` argument of a payload's `toJSON(key)`",
    thereAndBack([{ toJSON: (key: string) => `key '${key}'` }]),
    {
      tcp: { says: "is `'data'`, its key in Nest's packet", sees: ["key 'data'"] },
      uds: { says: "is `''`", sees: ["key ''"] },
      because:
        'A payload is written by itself, as `JSON.stringify(payload)` writes it, and not inside a packet.',
    },
  ),
];

export const values: Scenario = { title: 'Values', rows: [...plain, ...bytes] };
