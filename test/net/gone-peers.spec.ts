import { beforeEach, describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { Ctx, EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import type { Socket } from 'node:net';
import { type UdsError, UdsContext } from '../../src/index.js';
import { type Served, serve, socketPath } from '../support/nest.js';
import { packetOf, TextPeer } from '../support/text-peer.js';
import { Gate, heldBack, until } from '../support/wait.js';

/** As many as a connection may have at least. */
const LIMIT = 16;
const BEAT = { heartbeatIntervalMs: 50 };

let gate = new Gate();
let begun = 0;
let aborted: string[] = [];
let noted: number[] = [];

beforeEach(() => {
  gate = new Gate();
  begun = 0;
  aborted = [];
  noted = [];
});

@Controller()
class Work {
  @MessagePattern('wait')
  async wait(@Payload() _data: unknown, @Ctx() { signal }: UdsContext): Promise<string> {
    begun += 1;
    const left = new Gate();
    signal.addEventListener('abort', () => {
      aborted.push((signal.reason as UdsError).code);
      left.open();
    });
    await Promise.race([gate.opened, left.opened]);
    return 'done';
  }

  @EventPattern('noted')
  async noted(data: number): Promise<void> {
    await gate.opened;
    noted.push(data);
  }
}

interface Spoken {
  readonly dialect: string;
  /** As many calls at once as hold it back, in its dialect. */
  readonly calls: string;
  readonly begin: number;
}

const numbers = Array.from({ length: LIMIT }, (_, n) => n);
const call = (n: number): object => ({ id: `${n}`, pattern: 'wait', data: n });
const DIALECTS: Spoken[] = [
  {
    dialect: 'ndjson',
    calls: numbers.map((n) => `${JSON.stringify(call(n))}\n`).join(''),
    begin: LIMIT,
  },
  { dialect: 'nest-json', calls: numbers.map((n) => packetOf(call(n))).join(''), begin: LIMIT },
  // A chunk is a call there, and waits for the one before it.
  { dialect: 'raw', calls: '.'.repeat(4 * 65_536), begin: 1 },
];

interface Holding extends Served {
  readonly peer: TextPeer;
  readonly socket: Socket;
}

async function serving({ dialect }: Spoken, beat = BEAT): Promise<Served> {
  const path = socketPath();
  const endpoint = { path, ...(dialect === 'raw' && { dialects: ['raw' as const], pattern: 'wait' }) };
  const limits = { maxInFlight: LIMIT, maxEvents: LIMIT };
  return { ...(await serve([Work], { ...beat, ...limits, endpoints: [endpoint] })), path };
}

/** A peer that its server has stopped reading. */
async function held(served: Served, { calls, begin }: Spoken): Promise<Holding> {
  const before = begun;
  const accepted = await TextPeer.accepted(served);
  accepted.peer.send(calls);
  await heldBack(accepted.socket);
  expect(begun - before).toBe(begin);
  return { ...served, ...accepted };
}

/** Looks at who has begun to be looked at before have come once more. */
async function lookIsOver(served: Served, spoken: Spoken): Promise<void> {
  const other = await held(served, spoken);
  other.peer.socket.destroy();
  await until(() => aborted.length === spoken.begin, 'another one that has gone was noticed');
}

describe.each(DIALECTS)('a peer of $dialect that is not read, since as much of it runs as may', (spoken) => {
  it('and goes is noticed: its calls are told, and its place is free', async () => {
    const { peer, socket } = await held(await serving(spoken), spoken);
    peer.socket.destroy();
    await until(() => aborted.length === spoken.begin, 'its calls were told');
    expect(new Set(aborted)).toEqual(new Set(['CONNECTION_LOST']));
    await until(() => socket.closed, 'its place is free');
  });

  it('and lives sees nothing of being looked at, and is answered', async () => {
    const served = await serving(spoken);
    const { peer } = await held(served, spoken);
    await lookIsOver(served, spoken);
    expect(peer.text).toBe('');
    gate.open();
    await until(() => peer.text.includes('done'), 'it was answered');
    expect(aborted).toHaveLength(spoken.begin);
  });

  it('and has ended its input, but reads on, is answered', async () => {
    const served = await serving(spoken);
    const { peer } = await held(served, spoken);
    peer.end();
    await lookIsOver(served, spoken);
    gate.open();
    await until(() => peer.text.includes('done'), 'it was answered');
    expect(aborted).toHaveLength(spoken.begin);
  });
});

describe.each(DIALECTS)('a peer of $dialect that is read', ({ dialect, calls }) => {
  const first = dialect === 'ndjson' ? calls.slice(0, calls.indexOf('\n') + 1) : packetOf(call(0));

  it('and goes is noticed at once, also where nobody looks now and then', async () => {
    const served = await serving({ dialect, calls, begin: 1 }, { heartbeatIntervalMs: 0 });
    const { peer, socket } = await TextPeer.accepted(served);
    peer.send(first);
    await until(() => begun === 1, 'its call runs');
    peer.socket.destroy();
    await until(() => socket.closed, 'its place is free');
    expect(aborted).toEqual(['CONNECTION_LOST']);
    // A peer that leaves is its own affair.
    expect(served.log.troubles).toEqual([]);
  });
});

const EVENTS: [string, (event: object) => string][] = [
  ['ndjson', (event) => `${JSON.stringify(event)}\n`],
  ['nest-json', packetOf],
];

it.each(EVENTS)(
  'a peer of %s that sends events alone and goes has all of them run',
  async (dialect, write) => {
    const spoken = DIALECTS.find((each) => each.dialect === dialect)!;
    const served = await serving(spoken);
    const { peer, socket } = await TextPeer.accepted(served);
    const sent = Array.from({ length: 2000 }, (_, n) => n);
    peer.send(sent.map((n) => write({ pattern: 'noted', data: n })).join(''));
    await heldBack(socket);
    peer.socket.destroy();
    await lookIsOver(served, spoken);
    gate.open();
    await until(() => noted.length === sent.length, 'all of them ran');
    expect(noted).toEqual(sent);
  },
);
