import { describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterThisTest } from './cleanup.js';
import { rawFrame } from './raw-frames.js';
import { RawPeer } from './raw-peer.js';
import { tempFolder } from './temp.js';
import { turns, until } from './wait.js';
import { TYPE, WireTap } from './wire-tap.js';

const request = (id: number): Buffer => rawFrame({ type: TYPE.REQUEST, id, body: Buffer.alloc(12) });
const response = (id: number): Buffer => rawFrame({ type: TYPE.RESPONSE, id });

/** A server that reads to the end, and then does what the test says. */
async function tapped(onEnd: (socket: Socket, chunks: Buffer[]) => void): Promise<WireTap> {
  const path = join(tempFolder(), 'end.sock');
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    const chunks: Buffer[] = [];
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('end', () => onEnd(socket, chunks));
  });
  server.listen(path);
  await once(server, 'listening');
  afterThisTest(() => new Promise((resolve) => server.close(resolve)));
  return await WireTap.before(path);
}

describe('a tap', () => {
  it('shows both ways, and passes on the end of one while the other goes on', async () => {
    const tap = await tapped((socket, chunks) => socket.end(response(Buffer.concat(chunks).readUInt32BE(4))));
    const peer = await RawPeer.to(tap.path);
    peer.send(request(7));
    peer.socket.end();
    await peer.frame(TYPE.RESPONSE, 7);
    await peer.closed();
    expect(tap.calls).toEqual([[TYPE.REQUEST, 7]]);
    expect(tap.answersTo(7)).toHaveLength(1);
  });

  it('holds a way back, its end too, and lets it go in one chunk', async () => {
    let read: Buffer[] | undefined;
    const tap = await tapped((socket, chunks) => {
      read = chunks;
      socket.end();
    });
    tap.sent.hold();
    const peer = await RawPeer.to(tap.path);
    for (const id of [1, 2, 3]) {
      peer.send(request(id));
      await tap.sent.frame(TYPE.REQUEST, id);
    }
    peer.socket.end();
    await turns();
    expect(read).toBeUndefined();
    tap.sent.release();
    await until(() => read !== undefined, 'the end came');
    expect(read).toEqual([Buffer.concat([1, 2, 3].map(request))]);
  });

  it('breaks all off', async () => {
    const tap = await tapped((socket) => socket.end());
    const peer = await RawPeer.to(tap.path);
    peer.send(request(1));
    await tap.sent.frame(TYPE.REQUEST, 1);
    tap.cut();
    await peer.closed();
  });
});
