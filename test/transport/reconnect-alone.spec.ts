import { describe, expect, it } from '@jest/globals';
import { existsSync } from 'node:fs';
import { lastValueFrom, type Observable, retry, timer } from 'rxjs';
import type { UdsClient } from '../../src/index.js';
import { startNode } from '../support/child.js';
import { afterThisTest } from '../support/cleanup.js';
import { clientOf, serve, socketPath } from '../support/nest.js';
import { RawServer, serverHello } from '../support/raw-server.js';
import { turns, until } from '../support/wait.js';

/** What `status` tells from now on. */
function statesOf(client: UdsClient): string[] {
  const states: string[] = [];
  const subscription = client.status.subscribe((state) => void states.push(state));
  afterThisTest(() => subscription.unsubscribe());
  return states;
}

const codeOf = async (call: Promise<unknown>): Promise<unknown> =>
  await call.then(
    () => 'answered',
    (error: unknown) => (error as { code: string }).code,
  );

describe('a client that has lost its server', () => {
  it('gets it back though nobody calls, and status tells', async () => {
    const { app, path } = await serve([]);
    const client = clientOf(path);
    const states = statesOf(client);
    await client.connect();
    await app.close();
    await until(() => states.at(-1) === 'disconnected', 'it was lost');
    await serve([], { path });
    await until(() => states.at(-1) === 'connected', 'it is there again');
    expect(states).toEqual(['connected', 'disconnected', 'connected']);
  });

  it('tries for reconnectTimeoutMs and no longer, and then with the next call', async () => {
    const { app, path } = await serve([]);
    const client = clientOf(path, { reconnectTimeoutMs: 60, maxReconnectDelayMs: 5 });
    const states = statesOf(client);
    await client.connect();
    await app.close();
    await until(() => states.at(-1) === 'disconnected', 'it was lost');
    // A turn takes a millisecond at least.
    await turns(120);
    const server = await RawServer.listening(path);
    await turns(50);
    expect(server.sockets).toHaveLength(0);
    await client.connect();
    expect(server.sockets).toHaveLength(1);
  });

  it('waits for the next call where reconnectTimeoutMs is 0', async () => {
    const server = await RawServer.listening(socketPath());
    const client = clientOf(server.path, { reconnectTimeoutMs: 0 });
    const states = statesOf(client);
    await client.connect();
    server.sockets[0]?.destroy();
    await until(() => states.at(-1) === 'disconnected', 'it was lost');
    await turns(50);
    expect(server.sockets).toHaveLength(1);
    await client.connect();
    expect(server.sockets).toHaveLength(2);
  });

  it('is not kept alive by that', async () => {
    const { app, path } = await serve([]);
    const child = startNode([
      '--input-type=module',
      '--eval',
      `import { UdsClient } from 'nest-uds';
       await new UdsClient({ path: ${JSON.stringify(path)} }).connect();
       console.log('connected');`,
    ]);
    await child.says(/connected/);
    await app.close();
    expect(await child.exit()).toBe(0);
  });

  it('is asked for nothing once the client was closed', async () => {
    const { path } = await serve([]);
    const client = clientOf(path);
    const states = statesOf(client);
    await client.connect();
    await client.close();
    await turns(50);
    expect(states).toEqual(['connected', 'disconnected']);
  });

  it('leaves the one that says hello and goes, again and again, more and more time', async () => {
    const server = await RawServer.listening(socketPath(), {
      accept: (socket) => {
        socket.resume().write(serverHello());
        socket.end();
      },
    });
    const client = clientOf(server.path, { reconnectDelayMs: 400, maxReconnectDelayMs: 60_000 });
    client.connect().catch(() => undefined);
    await until(() => server.sockets.length >= 3, 'it has come three times');
    const before = server.sockets.length;
    await turns(50);
    // Without a pause it would come some hundred times in that while.
    expect(server.sockets.length - before).toBeLessThan(5);
  });
});

describe('a call that waits for a server', () => {
  it('has connectTimeoutMs of its own, however long others have waited', async () => {
    const path = socketPath();
    const client = clientOf(path, { connectTimeoutMs: 2_000, reconnectDelayMs: 5, maxReconnectDelayMs: 5 });
    let ends: string[] = [];
    const send = async (name: string): Promise<number> =>
      ends.push(`${name} ${String(await codeOf(lastValueFrom(client.send('x', 1))))}`);
    // What is left of its time when the first one's is up is enough for a busy machine to start a server.
    const laterMs = 1_500;
    let second: Promise<number>;
    // Where the loop was held up meanwhile both are given their time once more, and end together.
    for (let attempt = 1; ; attempt += 1) {
      ends = [];
      const first = send('first');
      second = lastValueFrom(timer(laterMs)).then(async () => await send('second'));
      await first;
      if (ends.length === 1 || attempt === 3) break;
    }
    expect(ends).toEqual(['first SERVER_NOT_FOUND']);
    await serve([], { path });
    await second;
    // It reached the server that came after the first one had given up.
    expect(ends[1]).toBe('second NO_HANDLER');
  });

  it('is not failed by a server that is lost while it waits: it waits for the next one from then on', async () => {
    const { server, path } = await serve([], { closeTimeoutMs: 1 });
    const client = clientOf(path, { connectTimeoutMs: 10_000 });
    await client.connect();
    await server.close();
    expect(existsSync(path)).toBe(false);
    const call = codeOf(lastValueFrom(client.send('x', 1)));
    await serve([], { path });
    expect(await call).toBe('NO_HANDLER');
  });

  it('is safe to send again where it failed', async () => {
    const path = socketPath();
    const client = clientOf(path, { connectTimeoutMs: 30 });
    const call = codeOf(lastValueFrom(client.send('x', 1).pipe(retry({ count: 1_000, delay: retryable }))));
    await turns(60);
    await serve([], { path });
    expect(await call).toBe('NO_HANDLER');
  });
});

function retryable(error: { retrySafe?: boolean }): Observable<unknown> {
  if (error.retrySafe !== true) throw error;
  return timer(1);
}
