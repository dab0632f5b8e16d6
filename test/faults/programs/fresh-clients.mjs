// One client after the other, several at a time, until it is told to stop: each connects, asks one thing, and leaves. Each
// dials once, and what fails, fails: `dial` is what a client's channel would try again.
import { Ledger } from './ledger.mjs';
import { settings, told } from './settings.mjs';

const { path, name, atOnce } = settings;
const { dial } = await import(new URL('../../../dist/net/dialer.js', import.meta.url).href);

/** Far more than a server that is held up by others takes. */
const LIMIT_MS = 20_000;
const connectionSettings = {
  role: 'client',
  name,
  pid: process.pid,
  maxFrameBytes: 65_536,
  maxBufferedBytes: 65_536,
  streamCreditBytes: 65_536,
  helloTimeoutMs: LIMIT_MS,
  partialFrameTimeoutMs: 0,
  closeTimeoutMs: LIMIT_MS,
  heartbeatIntervalMs: 0,
  heartbeatTimeoutMs: 1,
  slowReaderTimeoutMs: 0,
  maxInFlight: 0,
  maxEvents: 0,
  maxMetadataBytes: 0,
};
const ignore = () => undefined;
const owner = {
  opened: ignore,
  called: ignore,
  refused: ignore,
  left: ignore,
  takenOver: ignore,
  freed: ignore,
  closed: ignore,
};

const ledger = new Ledger(settings.ledger);

function echo(connection, id) {
  const request = {
    pattern: 'echo',
    payload: { id },
    metadata: undefined,
    isEnveloped: false,
    deadlineMs: Infinity,
  };
  return new Promise((resolve, reject) => {
    const caller = { next: ignore, end: resolve, fail: reject };
    connection.session.outgoing.request(request, caller, performance.now());
  });
}

async function visit(id) {
  await ledger.track(id, async () => {
    const connection = await dial(path, connectionSettings, owner, LIMIT_MS);
    try {
      return await echo(connection, id);
    } finally {
      connection.leave();
    }
  });
}

let isOver = false;
void told('stop').then(() => (isOver = true));

async function visitAgainAndAgain(worker) {
  for (let turn = 0; !isOver; turn += 1) await visit(`${name}-${worker}-${turn}`);
}

console.log('under way');
await Promise.all(Array.from({ length: atOnce }, (_, worker) => visitAgainAndAgain(worker)));
