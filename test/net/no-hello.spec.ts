import { describe, expect, it } from '@jest/globals';
import { Buffer } from 'node:buffer';
import { lastValueFrom } from 'rxjs';
import { ProtocolError } from '../../src/index.js';
import { clientOf, serve, socketPath } from '../support/nest.js';
import { rawCall, rawFrame } from '../support/raw-frames.js';
import { RawPeer } from '../support/raw-peer.js';
import { RawServer, serverHello } from '../support/raw-server.js';
import { until } from '../support/wait.js';

/** What begins as a frame does and is none of ours. */
const NO_FRAMES: [string, Buffer][] = [
  ['a frame that is too long', rawFrame({ type: 1, body: Buffer.alloc(1025) })],
  ['a frame of no known type', rawFrame({ type: 0x48 })],
  ['a frame with flags that nobody defined', rawFrame({ type: 1, flags: 0x7f })],
  ['a frame that is broken', rawFrame({ type: 9, body: 'x' })],
  ['zeros', Buffer.alloc(64)],
];

describe('a server that begins with something else than a hello: BAD_HELLO at once', () => {
  it.each<[string, Buffer]>([
    ['an answer of HTTP', Buffer.from('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n')],
    ['a greeting of SMTP', Buffer.from('220 mail.example ESMTP ready\r\n')],
    ['all ones', Buffer.alloc(64, 0xff)],
    ['an answer', rawFrame({ type: 5, id: 1, flags: 2, body: 'x' })],
    ...NO_FRAMES,
  ])('%s', async (_what, bytes) => {
    const server = await RawServer.listening(socketPath(), {
      accept: (socket) => socket.resume().write(bytes),
    });
    const client = clientOf(server.path, { connectTimeoutMs: 60_000 });
    const connected = client.connect();
    await expect(connected).rejects.toBeInstanceOf(ProtocolError);
    await expect(connected).rejects.toMatchObject({ code: 'BAD_HELLO', retrySafe: false });
    expect(server.sockets).toHaveLength(1);
    await server.socketsClosed();
  });
});

describe('a client that begins with something else than a hello: BAD_HELLO in the log', () => {
  it.each<[string, Buffer]>([...NO_FRAMES, ['a call', rawCall({ id: 1, pattern: 'echo', payload: 'x' })]])(
    '%s',
    async (_what, bytes) => {
      const { path, log } = await serve([]);
      const peer = await RawPeer.to(path);
      peer.send(bytes);
      await peer.closed();
      await until(() => log.troubles.length > 0, 'it was logged');
      expect(log.troubles).toEqual([expect.stringMatching(/^BAD_HELLO: /)]);
      expect(peer.frames).toEqual([]);
    },
  );
});

describe('a hello of a server that grants', () => {
  it.each([
    ['fewer requests than the floor', { maxInFlight: 15 }],
    ['no requests', { maxInFlight: 0 }],
    ['fewer events than the floor', { maxEvents: 15 }],
    ['no events', { maxEvents: 0 }],
  ])('%s is refused with BAD_HELLO', async (_what, grants) => {
    const server = await RawServer.listening(socketPath(), {
      accept: (socket) => socket.resume().write(serverHello(grants)),
    });
    const client = clientOf(server.path, { connectTimeoutMs: 60_000 });
    await expect(client.connect()).rejects.toMatchObject({ code: 'BAD_HELLO' });
    await expect(lastValueFrom(client.send('x', 1))).rejects.toMatchObject({ code: 'BAD_HELLO' });
    await server.socketsClosed();
  });

  it('the floor is taken', async () => {
    const server = await RawServer.listening(socketPath(), { maxInFlight: 16, maxEvents: 16 });
    await clientOf(server.path).connect();
  });
});
