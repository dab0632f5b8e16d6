import { expect } from '@jest/globals';
import { once } from 'node:events';
import { existsSync, readFileSync, renameSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { firstValueFrom } from 'rxjs';
import { UdsClient, type UdsServerSettings } from '../../src/index.js';
import type { Child } from '../support/child.js';
import { until } from '../support/wait.js';
import { fault } from './support/fault.js';
import type { Scene } from './support/scene.js';

const SOON = { fileCheckIntervalMs: 20 };
const ANSWERED_BETWEEN = 100;

fault(
  "the socket file is deleted while serving; replaced by somebody else's",
  { promise: "said, re-created where asked, never over another's; open connections live" },
  async (scene) => {
    await whileServing(scene, SOON, async (server) => {
      unlinkSync(scene.path);
      await server.says(/SOCKET_GONE/);
      await scene.moreAnswers(ANSWERED_BETWEEN);
      expect(existsSync(scene.path)).toBe(false);
    });
    await whileServing(scene, { ...SOON, onGone: 'recreate' }, async (server) => {
      unlinkSync(scene.path);
      await server.says(/SOCKET_GONE/);
      await until(() => existsSync(scene.path), 'it is there again');
      expect(statSync(scene.path).mode & 0o777).toBe(0o600);
      expect(await echo(scene.path)).toEqual({ id: 'new' });
    });
    // Its own file is taken away at the end, the new one too.
    expect(existsSync(scene.path)).toBe(false);
    for (const onGone of ['warn', 'recreate'] as const) {
      await withAnothersSocket(scene, { ...SOON, onGone });
      await withAnothersFile(scene, { ...SOON, onGone });
    }
  },
);

/** A client that was there before goes on all the while. */
async function whileServing(
  scene: Scene,
  options: Partial<UdsServerSettings>,
  happens: (server: Child) => Promise<void>,
): Promise<void> {
  const server = await scene.serve(options);
  const name = `${options.onGone}-${server.pid}`;
  const client = scene.startClient('steady-client', { name, inFlight: 8, restMs: 1 });
  await client.says(/^under way$/m);
  await scene.moreAnswers(ANSWERED_BETWEEN);
  await happens(server);
  await scene.moreAnswers(ANSWERED_BETWEEN);
  client.write('stop\n');
  expect(await client.exit()).toBe(0);
  server.signal('SIGTERM');
  expect(await server.exit()).toBe(0);
}

async function withAnothersSocket(scene: Scene, options: Partial<UdsServerSettings>): Promise<void> {
  const other = await listenAt(`${scene.path}2`);
  await whileServing(scene, options, async (server) => {
    renameSync(`${scene.path}2`, scene.path);
    await server.says(/SOCKET_REPLACED/);
  });
  expect(statSync(scene.path).isSocket()).toBe(true);
  await new Promise((resolve) => other.close(resolve));
  unlinkSync(scene.path);
}

async function withAnothersFile(scene: Scene, options: Partial<UdsServerSettings>): Promise<void> {
  await whileServing(scene, options, async (server) => {
    writeFileSync(`${scene.path}2`, 'mine');
    renameSync(`${scene.path}2`, scene.path);
    await server.says(/SOCKET_REPLACED/);
  });
  expect(readFileSync(scene.path, 'utf8')).toBe('mine');
  unlinkSync(scene.path);
}

async function listenAt(path: string): Promise<Server> {
  const server = createServer((socket) => socket.destroy());
  server.listen(path);
  await once(server, 'listening');
  return server;
}

async function echo(path: string): Promise<unknown> {
  const client = new UdsClient({ path });
  try {
    return await firstValueFrom(client.send('echo', { id: 'new' }));
  } finally {
    await client.close();
  }
}
