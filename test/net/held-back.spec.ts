import { beforeEach, describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { Ctx, EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { UdsContext } from '../../src/index.js';
import { serve } from '../support/nest.js';
import { packetOf, TextPeer } from '../support/text-peer.js';
import { Gate, heldBack, turns, until } from '../support/wait.js';

/** As many as a connection may have at least. */
const LIMIT = 16;
const COUNT = 300;
/** Of each message: a read takes 64 KiB at most, so it brings no more than 17 of them. */
const PAD = 'x'.repeat(4000);
const ONE_CHUNK = Math.ceil(65_536 / PAD.length);

let gate = new Gate();
let running = 0;
let peak = 0;
let order: number[] = [];
let aborted: number[] = [];
const gates = new Map<number, Gate>();

beforeEach(() => {
  gate = new Gate();
  [running, peak, order, aborted] = [0, 0, [], []];
  gates.clear();
});

interface Numbered {
  readonly n: number;
}

/** Runs for some turns of the event loop, and not before the gate is open. */
async function run({ n }: Numbered): Promise<number> {
  running += 1;
  peak = Math.max(peak, running);
  order.push(n);
  await gate.opened;
  await turns(1);
  running -= 1;
  return n;
}

@Controller()
class Work {
  @MessagePattern('work')
  work(@Payload() data: Numbered): Promise<number> {
    return run(data);
  }

  @EventPattern('noted')
  noted(@Payload() data: Numbered): Promise<number> {
    return run(data);
  }

  @MessagePattern('own gate')
  async ownGate(@Payload() { n }: Numbered, @Ctx() { signal }: UdsContext): Promise<number> {
    signal.addEventListener('abort', () => aborted.push(n));
    const own = new Gate();
    gates.set(n, own);
    await own.opened;
    return n;
  }
}

type Write = (message: object) => string;
const DIALECTS: [string, Write][] = [
  ['ndjson', (message) => `${JSON.stringify(message)}\n`],
  ['nest-json', packetOf],
];
const numbers = Array.from({ length: COUNT }, (_, n) => n);

describe.each(DIALECTS)('a peer of %s that knows no limits', (dialect, write) => {
  it('sends thousands of requests that end as they start: each is answered, and it is read on', async () => {
    const { path } = await serve([Work]);
    gate.open();
    const peer = await TextPeer.to(path);
    const calls = Array.from({ length: 6000 }, (_, n) => write({ id: `${n}`, pattern: 'nobody' }));
    peer.send(calls.join(''), write({ id: 'last', pattern: 'work', data: { n: 1 } }));
    await until(() => peer.text.includes('"last"'), 'the last one was answered');
    expect(peer.text.match(/no matching message handler/g)).toHaveLength(6000);
  });

  it('sends more requests than may be in flight: it is held back, all run in order, and none is refused', async () => {
    const served = await serve([Work], { maxInFlight: LIMIT });
    const { peer, socket } = await TextPeer.accepted(served);
    for (const n of numbers) peer.send(write({ id: `${n}`, pattern: 'work', data: { n, PAD } }));
    await heldBack(socket);
    expect(running).toBeLessThanOrEqual(LIMIT + ONE_CHUNK);

    gate.open();
    const answers = (): readonly object[] => (dialect === 'ndjson' ? peer.lines : peer.packets);
    await until(() => answers().length === COUNT, 'all are answered');
    expect(answers().map((answer) => (answer as { response: number }).response)).toEqual(numbers);
    expect(order).toEqual(numbers);
    expect(peak).toBeLessThanOrEqual(LIMIT + ONE_CHUNK);
    expect(served.log.troubles).toEqual([]);
    await until(() => !socket.isPaused(), 'the server reads again');
  });

  it('sends more events than may be under way: it is held back, all run in order, and it is not cut', async () => {
    const served = await serve([Work], { maxEvents: LIMIT });
    const { peer, socket } = await TextPeer.accepted(served);
    for (const n of numbers) peer.send(write({ pattern: 'noted', data: { n, PAD } }));
    await heldBack(socket);
    expect(running).toBeLessThanOrEqual(LIMIT + ONE_CHUNK);

    gate.open();
    await until(() => order.length === COUNT && running === 0, 'all ran');
    expect(order).toEqual(numbers);
    expect(peak).toBeLessThanOrEqual(LIMIT + ONE_CHUNK);
    expect(peer.text).toBe('');
    expect(served.log.troubles).toEqual([]);
    expect(peer.isClosed).toBe(false);
  });

  it('may send more at once all the same: none is refused', async () => {
    const served = await serve([Work], { maxInFlight: LIMIT });
    const { peer } = await TextPeer.accepted(served);
    peer.send(numbers.map((n) => write({ id: n, pattern: 'work', data: { n } })).join(''));
    await until(() => running >= LIMIT, 'as many run as may');
    gate.open();
    await until(() => order.length === COUNT && running === 0, 'all have run');
    expect(order).toEqual(numbers);
    expect(served.log.troubles).toEqual([]);
  });
});

describe('what stands behind calls that hold their peer back', () => {
  const call = (n: number): object => ({ id: n, pattern: 'own gate', data: { n } });

  it('is read once one of them has ended: a CANCEL cancels, a request runs', async () => {
    const served = await serve([Work], { maxInFlight: LIMIT });
    const { peer, socket } = await TextPeer.accepted(served);
    peer.sendLines(...numbers.slice(0, LIMIT).map(call));
    await heldBack(socket);
    peer.sendLines({ id: 1, cancel: true }, call(100));
    const other = await TextPeer.to(served.path);
    await other.sendLines({ id: 1, ping: true }).linesCome(1);
    expect([aborted, gates.has(100)]).toEqual([[], false]);

    gates.get(0)!.open();
    await until(() => aborted.length > 0 && gates.has(100), 'the rest was read');
    expect(aborted).toEqual([1]);
    for (const each of gates.values()) each.open();
    const answered = (await peer.linesCome(LIMIT)).map(({ id }) => id);
    expect(answered).toEqual([0, ...numbers.slice(2, LIMIT), 100]);
  });

  it('does not hold back anybody else', async () => {
    const served = await serve([Work], { maxInFlight: LIMIT });
    const { peer, socket } = await TextPeer.accepted(served);
    peer.sendLines(...numbers.slice(0, LIMIT).map(call));
    await heldBack(socket);
    const other = await TextPeer.to(served.path);
    other.sendLines(call(200));
    await until(() => gates.has(200), 'it runs');
    for (const each of gates.values()) each.open();
    expect(await other.linesCome(1)).toEqual([{ id: 200, response: 200 }]);
    await peer.linesCome(LIMIT);
  });
});
