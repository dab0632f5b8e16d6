import { describe, expect, it } from '@jest/globals';
import type { Socket } from 'node:net';
import { firstValueFrom } from 'rxjs';
import type { UdsError } from '../../src/index.js';
import { startNode } from '../support/child.js';
import { clientOf, serve, socketPath } from '../support/nest.js';
import { rawFrame } from '../support/raw-frames.js';
import { RawServer, serverHello } from '../support/raw-server.js';
import { until } from '../support/wait.js';
import { TYPE } from '../support/wire-tap.js';

/** As a handler does that computes without a pause. */
function spin(forMs: number): void {
  for (const endsAtMs = performance.now() + forMs; performance.now() < endsAtMs;);
}

const pingsOf = ({ frames }: RawServer): number => frames.filter(({ type }) => type === TYPE.PING).length;

describe('a process that stalls itself', () => {
  const beat = { heartbeatIntervalMs: 100, heartbeatTimeoutMs: 1000 };

  /** A call in flight to a server that answers no PING by itself; what it does when it is asked, and then that it is answered. */
  async function stall(whileAsked: (socket: Socket) => void): Promise<void> {
    const server = await RawServer.listening(socketPath());
    const client = clientOf(server.path, beat);
    const call = firstValueFrom(client.send('x', 1)).catch((error: unknown) => (error as UdsError).code);
    const { id } = await server.frame(TYPE.REQUEST);
    const socket = server.sockets[0]!;
    let hasRun = false;
    // In the turn of the sockets, so that the timers come before it comes again.
    socket.on('data', () => {
      if (hasRun || pingsOf(server) === 0) return;
      hasRun = true;
      whileAsked(socket);
    });
    await until(() => pingsOf(server) >= 2, 'it asks again');
    server.send(rawFrame({ type: TYPE.RESPONSE, id, flags: 2, body: 'answered' }));
    expect(await call).toBe('answered');
    expect(server.sockets).toHaveLength(1);
  }

  it('until its peer must have answered, while the answer lies in the socket, loses no call', async () => {
    await stall((socket) => {
      socket.write(rawFrame({ type: TYPE.PONG }));
      spin(beat.heartbeatTimeoutMs + 100);
    });
  });

  it('for so long that its peer may have been held up too asks once more', async () => {
    await stall(() => spin(2 * beat.heartbeatTimeoutMs));
  });
});

describe('a client that stalls itself for longer than connectTimeoutMs while it connects', () => {
  const connectTimeoutMs = 400;
  const stallMs = connectTimeoutMs + 300;

  it('connects all the same, where the hello lies in the socket as the stall ends', async () => {
    const server = await RawServer.listening(socketPath(), {
      accept: (socket) => {
        socket.resume().write(serverHello());
        spin(stallMs);
      },
    });
    await clientOf(server.path, { connectTimeoutMs }).connect();
    expect(server.sockets).toHaveLength(1);
  });

  it('has its calls answered, where it had not even said its hello', async () => {
    const { path, server } = await serve([]);
    server.addHandler('echo', async (data: unknown) => data);
    const client = clientOf(path, { connectTimeoutMs });
    const call = firstValueFrom(client.send('echo', 'x'));
    spin(stallMs);
    expect(await call).toBe('x');
  });
});

describe('a process that has nothing else to do', () => {
  it('is not kept open by a heartbeat', async () => {
    const { path } = await serve([]);
    const script = `
      import { UdsClient } from 'nest-uds';
      const client = new UdsClient({ path: process.argv[1], heartbeatIntervalMs: HOUR_MS });
      await client.connect();
      client.unwrap().unref();
      console.log('idle');`.replace('HOUR_MS', '3_600_000');
    const child = startNode(['--input-type=module', '--eval', script, path]);
    expect([await child.exit(), child.stdout, child.stderr]).toEqual([0, 'idle\n', '']);
  });

  it('is not kept open by a question that nobody answers', async () => {
    const server = await RawServer.listening(socketPath());
    const script = `
      import { UdsClient } from 'nest-uds';
      const client = new UdsClient({ path: process.argv[1], heartbeatIntervalMs: 50, heartbeatTimeoutMs: 3_600_000 });
      await client.connect();
      const socket = client.unwrap();
      const before = socket.bytesWritten;
      const timer = setInterval(() => {
        if (socket.bytesWritten === before) return;
        clearInterval(timer);
        socket.unref();
        console.log('asked');
      }, 5);`;
    const child = startNode(['--input-type=module', '--eval', script, server.path]);
    expect([await child.exit(), child.stdout, child.stderr]).toEqual([0, 'asked\n', '']);
  });
});
