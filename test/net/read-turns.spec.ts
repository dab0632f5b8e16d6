import { beforeEach, describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { EventPattern, MessagePattern } from '@nestjs/microservices';
import type { Socket } from 'node:net';
import { lastValueFrom } from 'rxjs';
import { clientOf, type Served, serve, socketPath } from '../support/nest.js';
import { rawCall } from '../support/raw-frames.js';
import { beKnownAsCheap, RawPeer } from '../support/raw-peer.js';
import { packetOf, TextPeer } from '../support/text-peer.js';
import { until } from '../support/wait.js';
import { TYPE } from '../support/wire-tap.js';

const SPIN_MS = 0.3;
const COMPUTING_MS = 5;
const COUNT = 300;
const ALONE_MS = 300;
/** Some behind 16 are started with them. */
const GROUP = 23;

let order: string[] = [];
let spinMs = SPIN_MS;
/** What happens as the first one runs. */
let begun = (): void => undefined;

beforeEach(() => {
  order = [];
  spinMs = SPIN_MS;
  begun = () => undefined;
});

function spin(who: string): string {
  order.push(who);
  if (order.length === 1) begun();
  const endsAtMs = performance.now() + spinMs;
  while (performance.now() < endsAtMs);
  return who;
}

@Controller()
class Busy {
  @MessagePattern('spin')
  spin(who: string): string {
    return spin(who);
  }

  @EventPattern('noted')
  noted(who: string): void {
    spin(who);
  }
}

/** A server, and its ends of the connections in the order in which they came. */
async function serving(): Promise<Served & { sockets: Socket[]; rawPath: string }> {
  const [path, rawPath] = [socketPath(), socketPath()];
  const served = await serve([Busy], {
    closeTimeoutMs: 30_000,
    endpoints: [{ path }, { path: rawPath, dialects: ['raw'], pattern: 'spin' }],
  });
  const sockets: Socket[] = [];
  served.server.on('connection', (socket: Socket) => sockets.push(socket));
  return { ...served, sockets, rawPath };
}

type Peer = RawPeer | TextPeer;
const numbers = Array.from({ length: COUNT }, (_, at) => at + 1);
const line = (id: number, who: string): string => `${JSON.stringify({ id, pattern: 'spin', data: who })}\n`;
const packet = (id: number, who: string): string => packetOf({ id: `${id}`, pattern: 'spin', data: who });
const frame = (id: number, who: string): Uint8Array => rawCall({ id, pattern: 'spin', payload: who });
const event = (_id: number, who: string): Uint8Array => rawCall({ pattern: 'noted', payload: who });

const binary = (path: string): Promise<Peer> => RawPeer.greeted(path);
const text = (path: string): Promise<Peer> => TextPeer.to(path);

const FLOODS: [string, (path: string) => Promise<Peer>, (id: number, who: string) => Uint8Array | string][] =
  [
    ['requests', binary, frame],
    ['events', binary, event],
    ['requests in ndjson', text, line],
    ['requests in nest-json', text, packet],
  ];

describe('one who sends much in one go', () => {
  it.each(FLOODS)('lets others have their turn between his %s', async (_what, connect, write) => {
    const { path } = await serving();
    const flooder = await connect(path);
    const other = await RawPeer.greeted(path);
    flooder.send(...numbers.map((id) => write(id, 'flood')));
    other.send(frame(1, 'other'));
    await other.frame(TYPE.RESPONSE, 1);
    expect(order[0]).toBe('flood');
    expect(order.indexOf('other')).toBeLessThan(COUNT / 2);
    await until(() => order.length === COUNT + 1, 'all of them ran');
  });

  it.each([
    ['short calls', 20, (id: number) => frame(id, 'flood')],
    ['long ones', 20, (id: number) => frame(id, `flood${'.'.repeat(60_000)}`)],
  ])('lets others have their turn between few %s of a handler that computes', async (_what, count, write) => {
    spinMs = COMPUTING_MS;
    const { path } = await serving();
    const flooder = await RawPeer.greeted(path);
    const other = await RawPeer.greeted(path);
    // Until it is known what they cost.
    flooder.send(...numbers.slice(0, 20).map(write));
    await until(() => order.length === 20, 'the first ones ran');
    flooder.send(...numbers.slice(20, 20 + count).map(write));
    other.send(frame(1, 'other'));
    await other.frame(TYPE.RESPONSE, 1);
    expect(order.indexOf('other')).toBeLessThan(20 + 5);
    await until(() => order.length === 20 + count + 1, 'all of them ran');
  });

  it('lets others have their turn between calls that compute, in one chunk, behind many that did not', async () => {
    const { path } = await serving();
    const flooder = await RawPeer.greeted(path);
    const other = await RawPeer.greeted(path);
    for (const endsAtMs = performance.now() + ALONE_MS; performance.now() < endsAtMs;)
      await beKnownAsCheap(flooder);
    spinMs = COMPUTING_MS;
    begun = () => other.send(frame(1, 'other'));
    flooder.send(...numbers.map((id) => frame(id, 'flood')));
    await other.frame(TYPE.RESPONSE, 1);
    // Behind a group, or two where it came in the middle of a turn.
    expect(order.indexOf('other')).toBeLessThanOrEqual(2 * GROUP);
    await until(() => order.length === COUNT + 1, 'all of them ran');
  });

  it('lets others have their turn between events that compute, behind which a line is broken', async () => {
    const { path } = await serving();
    const flooder = await TextPeer.to(path);
    const other = await RawPeer.greeted(path);
    const pings = Array.from({ length: 100 }, () => ({ id: 0, ping: true }));
    let lines = 0;
    for (const endsAtMs = performance.now() + ALONE_MS; performance.now() < endsAtMs;)
      await flooder.sendLines(...pings).linesCome((lines += 100));
    spinMs = COMPUTING_MS;
    begun = () => other.send(frame(1, 'other'));
    const event = `${JSON.stringify({ pattern: 'noted', data: 'flood' })}\n`;
    flooder.send(event.repeat(COUNT), 'x\n');
    await other.frame(TYPE.RESPONSE, 1);
    expect(order.indexOf('other')).toBeLessThanOrEqual(2 * GROUP);
    await until(() => order.length === COUNT + 1, 'all of them ran');
  });

  it('lets others have their turn between chunks of bare bytes whose handler computes', async () => {
    spinMs = COMPUTING_MS;
    const { path, rawPath } = await serving();
    const flooder = await TextPeer.to(rawPath);
    const other = await RawPeer.greeted(path);
    flooder.send('.'.repeat(20 * 65_536));
    await until(() => order.length > 0, 'it floods');
    other.send(frame(1, 'other'));
    await other.frame(TYPE.RESPONSE, 1);
    expect(order.indexOf('other')).toBeLessThan(8);
    expect(order.length).toBeLessThan(15);
  });

  it('lets others have their turn between what is refused', async () => {
    const { path, sockets } = await serving();
    const flooder = await TextPeer.to(path);
    const other = await RawPeer.greeted(path);
    flooder.send('{}\n'.repeat(20_000));
    other.send(frame(1, 'other'));
    await other.frame(TYPE.RESPONSE, 1);
    const writtenBefore = sockets[0]!.bytesWritten;
    await until(() => flooder.lines.length === 20_000, 'each line was answered');
    expect(writtenBefore).toBeGreaterThan(0);
    expect(writtenBefore).toBeLessThan(sockets[0]!.bytesWritten / 4);
  });

  it.each(FLOODS)('has all of his %s run in their order', async (_what, connect, write) => {
    const { path, log } = await serving();
    const flooder = await connect(path);
    flooder.send(...numbers.map((id) => write(id, `${id}${'.'.repeat((id * 7919) % 600)}`)));
    await until(() => order.length === COUNT, 'all of them ran');
    expect(order.map((who) => Number.parseInt(who))).toEqual(numbers);
    expect(log.troubles).toEqual([]);
  });

  it.each([FLOODS[1]!, FLOODS[2]!])(
    'and ends his input has all of his %s run',
    async (_what, connect, write) => {
      const { path } = await serving();
      const flooder = await connect(path);
      flooder.send(...numbers.map((id) => write(id, 'flood')));
      flooder.socket.end();
      await until(() => order.length === COUNT, 'all of them ran');
    },
  );

  it.each([FLOODS[2]!, FLOODS[3]!])(
    'has all of his %s answered by a server that closes meanwhile',
    async (_what, connect, write) => {
      const { path, app } = await serving();
      const flooder = await connect(path);
      // As many as one read brings, so that a close comes in the middle of them.
      const many = Array.from({ length: 4 * COUNT }, (_, at) => write(at, ''));
      flooder.send(...many);
      await until(() => order.length > 0, 'the first one ran');
      await app.close();
      expect(order).toHaveLength(many.length);
    },
  );

  it('and goes away leaves nothing behind that harms others', async () => {
    const { path, log } = await serving();
    const flooder = await RawPeer.greeted(path);
    flooder.send(...numbers.map((id) => frame(id, 'flood')));
    await until(() => order.length > 0, 'the first one ran');
    flooder.socket.destroy();
    expect(await lastValueFrom(clientOf(path).send('spin', 'other'))).toBe('other');
    expect(order.length).toBeLessThan(COUNT);
    expect(log.troubles).toEqual([]);
  });
});
