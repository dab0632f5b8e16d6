// Opens connections, several at a time, writes garbage to each, in pieces, and waits for its end. Says what it did, and which
// codes it was told.
import { connect } from 'node:net';
import { clearTimeout, setTimeout } from 'node:timers';
import { setImmediate as nextImmediate } from 'node:timers/promises';
import { DIALECTS } from './conversations.mjs';
import { garbage } from './mutations.mjs';
import { Random } from './random.mjs';
import { settings } from './settings.mjs';

const { path, rawPath, seed, first, connections, atOnce } = settings;
/** Far more than any end takes. */
const LIMIT_MS = 20_000;
const MAX_PIECES = 4;
/** More than there are connections: two seeds have no connection in common. */
const SEEDS_APART = 1_000_003;

const done = { connections: 0, bytes: 0, dropped: 0, hung: 0, codes: {} };

function count(text) {
  for (const [, code] of text.matchAll(/"code":"([A-Z_]+)"/g)) done.codes[code] = (done.codes[code] ?? 0) + 1;
}

/** Cut at random places: where a chunk ends must not matter. */
function piecesOf(bytes, random) {
  const cuts = Array.from({ length: random.below(MAX_PIECES) }, () => random.below(bytes.length + 1));
  const ends = [...cuts.sort((a, b) => a - b), bytes.length];
  return ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
}

async function visit(random) {
  const dialect = random.pick(DIALECTS);
  const pieces = piecesOf(garbage(dialect, random), random);
  const isDropped = random.below(5) === 0;
  const socket = connect(dialect === 'raw' ? rawPath : path);
  let text = '';
  socket.setEncoding('latin1').on('data', (more) => (text += more));
  socket.on('error', () => undefined);
  const closed = new Promise((resolve) => socket.once('close', resolve));
  for (const piece of pieces) {
    socket.write(piece);
    await nextImmediate();
  }
  done.connections += 1;
  if (isDropped) {
    done.dropped += 1;
    socket.destroy();
  } else {
    socket.end();
  }
  const timer = setTimeout(() => {
    done.hung += 1;
    socket.destroy();
  }, LIMIT_MS);
  await closed;
  clearTimeout(timer);
  done.bytes += socket.bytesWritten;
  // A raw peer gets back what it wrote.
  if (dialect !== 'raw') count(text);
}

/** Each connection has a seed of its own, so that its bytes are the same however fast the others are. */
async function keepVisiting(worker) {
  for (let turn = worker; turn < connections; turn += atOnce)
    await visit(new Random(seed * SEEDS_APART + first + turn));
}

await Promise.all(Array.from({ length: atOnce }, (_, worker) => keepVisiting(worker)));
console.log(JSON.stringify(done));
