// Makes calls whose ids go past 2^32-1, over the channel itself, since no option of UdsClient says where ids begin.
// Some are held over the wrap: of those some are released, some cancelled, some cut by the server's end.
import { OPTION_TABLE } from 'nest-uds';
import { Ledger } from './ledger.mjs';
import { settings, told } from './settings.mjs';

const { path, name, firstId, inFlight, calls, held } = settings;
const { Channel } = await import(new URL('../../../dist/net/channel.js', import.meta.url).href);

const defaults = OPTION_TABLE.filter(({ side }) => side !== 'server').map((row) => [row.name, row.default]);
const channelSettings = {
  ...Object.fromEntries(defaults),
  path,
  name,
  firstId,
  role: 'client',
  pid: process.pid,
  maxInFlight: 16,
  maxEvents: 16,
  maxMetadataBytes: 0,
  helloTimeoutMs: 5000,
  partialFrameTimeoutMs: 0,
  slowReaderTimeoutMs: 0,
};
const channel = new Channel(channelSettings, { connected: () => undefined, disconnected: () => undefined });
const ledger = new Ledger(settings.ledger);

/** A call in flight; `over` resolves once it is. */
function open(pattern, id, more = {}) {
  const request = {
    pattern,
    payload: { id, ...more },
    metadata: undefined,
    isEnveloped: false,
    deadlineMs: Infinity,
  };
  const call = {};
  call.over = ledger.track(id, () => {
    return new Promise((resolve, reject) => {
      const next = (value, _isEnveloped, bytes) => {
        call.take?.(value, reject);
        call.sent.consume(bytes);
      };
      call.end = resolve;
      call.sent = channel.request(request, { next, end: resolve, fail: reject });
    });
  });
  call.cancel = () => {
    call.sent.cancel();
    // Nobody tells the caller of a call that it cancelled itself.
    ledger.write('cancelled', id);
    call.end({ id });
  };
  return call;
}

/** A stream that is read over the wrap: one value that is not the next one of its own ends it. */
function openStream(id) {
  const call = open('generator', id);
  let due = 0;
  call.take = ({ id: of, value }, reject) => {
    if (of !== id || value !== due++) reject(new RangeError(`${of}:${value} came to ${id}`));
  };
  return call;
}

const named = (what, index) => `${name}-${what}-${index}`;
const holdSome = (what) => Array.from({ length: held }, (_, index) => open('hold', named(what, index)));

async function load(worker) {
  for (let turn = worker; turn < calls; turn += inFlight) {
    const id = named('load', turn);
    await (turn % 3 === 0 ? open('slow', id, { ms: turn % 30 }) : open('echo', id)).over;
  }
}

await channel.connect();
// Of these all ids are given before the wrap.
const released = holdSome('released');
const cancelled = holdSome('cancelled');
const cut = holdSome('cut');
const streams = [0, 1].map((index) => openStream(named('stream', index)));
await Promise.all(Array.from({ length: inFlight }, (_, worker) => load(worker)));
// And of these behind it.
cut.push(...holdSome('cut-too'));

for (const call of [...cancelled, ...streams]) call.cancel();
for (let index = 0; index < held; index += 1)
  await open('release', named('release', index), { of: named('released', index) }).over;
await Promise.all(released.map(({ over }) => over));
console.log('the last ones are held');
await Promise.all(cut.map(({ over }) => over));
await told('stop');
await channel.close();
