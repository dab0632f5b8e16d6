import { describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { MessagePattern } from '@nestjs/microservices';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { lastValueFrom, timer } from 'rxjs';
import { SocketFile } from '../../src/net/socket-file.js';
import { SocketWatch } from '../../src/net/socket-watch.js';
import { afterThisTest } from '../support/cleanup.js';
import { clientOf, serve, serveAndConnect, socketPath } from '../support/nest.js';
import { RawServer } from '../support/raw-server.js';
import { leaveStaleSocket } from '../support/stale.js';
import { tempFolder } from '../support/temp.js';
import { turns, until } from '../support/wait.js';

const SOON = { fileCheckIntervalMs: 5 };
const RECREATE = { ...SOON, onGone: 'recreate' } as const;

@Controller()
class Echo {
  @MessagePattern('echo')
  echo(data: unknown): unknown {
    return data;
  }
}

describe('a server whose socket file is removed', () => {
  it('says so once, and its connections live on', async () => {
    const { path, client, log } = await serveAndConnect([Echo], SOON);
    unlinkSync(path);
    await until(() => log.troubles.length > 0, 'it is said');
    await turns(40);
    expect(log.troubles).toEqual([expect.stringMatching(/^SOCKET_GONE: .*app\.sock has gone; .*onGone/)]);
    expect(await lastValueFrom(client.send('echo', 1))).toBe(1);
    expect(existsSync(path)).toBe(false);
  });

  it('makes it anew where that was asked for: same mode, for newcomers; the old ones live on', async () => {
    const { path, client, log, server } = await serveAndConnect([Echo], { ...RECREATE, mode: 0o620 });
    for (let time = 1; time <= 2; time += 1) {
      unlinkSync(path);
      await until(() => existsSync(path), 'it is there again');
      expect(lstatSync(path).mode & 0o777).toBe(0o620);
      expect(await lastValueFrom(clientOf(path).send('echo', time))).toBe(time);
      expect(log.troubles).toHaveLength(time);
    }
    expect(await lastValueFrom(client.send('echo', 1))).toBe(1);
    expect(log.troubles[0]).toMatch(/It is made anew/);
    await server.close();
    expect(existsSync(path)).toBe(false);
  });

  it('makes it anew once its folder is there again', async () => {
    const folder = join(tempFolder({ mayLeave: /^in$/ }), 'in');
    mkdirSync(folder);
    const path = join(folder, 'app.sock');
    const { log, server } = await serve([Echo], { ...RECREATE, path });
    unlinkSync(path);
    renameSync(folder, `${folder}2`);
    await until(() => log.troubles.length >= 2, 'it is said');
    await turns(20);
    expect(log.troubles).toEqual([
      expect.stringMatching(/^SOCKET_GONE/),
      expect.stringMatching(/^DIRECTORY_MISSING/),
    ]);
    renameSync(`${folder}2`, folder);
    await until(() => existsSync(path), 'it is there again');
    expect(await lastValueFrom(clientOf(path).send('echo', 1))).toBe(1);
    await server.close();
  });

  it('does not look where it is told not to', async () => {
    const { path, log } = await serveAndConnect([Echo], { fileCheckIntervalMs: 0 });
    unlinkSync(path);
    await turns(40);
    expect(log.troubles).toEqual([]);
  });

  it('looks no more once it has closed', async () => {
    const { path, log, server } = await serve([Echo], RECREATE);
    await server.close();
    await turns(40);
    expect(existsSync(path)).toBe(false);
    expect(log.troubles).toEqual([]);
  });
});

describe.each(['warn', 'recreate'] as const)(
  "a server whose place is somebody else's (onGone %s)",
  (onGone) => {
    it.each<[string, (path: string) => Promise<unknown>]>([
      ['a living socket', async (path) => await RawServer.listening(path)],
      ['a stale socket', leaveStaleSocket],
      ['a file', async (path) => writeFileSync(path, 'mine')],
    ])('says so once, and leaves it alone for ever: %s', async (_what, put) => {
      const { path, client, log, server } = await serveAndConnect([Echo], { ...SOON, onGone });
      const other = socketPath();
      await put(other);
      renameSync(other, path);
      const { ino } = lstatSync(path);
      await until(() => log.troubles.length > 0, 'it is said');
      await turns(40);
      expect(log.troubles).toEqual([
        expect.stringMatching(/^SOCKET_REPLACED: .*app\.sock, which is left alone/),
      ]);
      expect(await lastValueFrom(client.send('echo', 1))).toBe(1);
      await server.close();
      expect(lstatSync(path).ino).toBe(ino);
      unlinkSync(path);
    });
  },
);

describe('another file in the place of the own one', () => {
  /** Watches a file that has another one's number. */
  function watchReplaced(intervalMs: number): { told: number[]; watch: SocketWatch } {
    const path = socketPath();
    writeFileSync(path, '');
    afterThisTest(() => unlinkSync(path));
    const told: number[] = [];
    const troubled = (): void => {
      told.push(performance.now());
    };
    const owner = { troubled, recreate: undefined };
    const watch = new SocketWatch(new SocketFile(path, 0n, 0n), intervalMs, owner);
    afterThisTest(() => watch.stop());
    return { told, watch };
  }

  it('is said after one more look: whose place was taken may be about to hear it', async () => {
    const beganMs = performance.now();
    const { told } = watchReplaced(100);
    await until(() => told.length > 0, 'it is said');
    expect(told[0]! - beganMs).toBeGreaterThan(190);
  });

  it('of a server that looks as it closes: says nothing once it closes', async () => {
    const toldLate: number[] = [];
    // Some of so many stop in the middle of the look that would say it.
    for (let trial = 0; trial < 60; trial += 1) {
      const { told, watch } = watchReplaced(1);
      await lastValueFrom(timer(2));
      const before = told.length;
      await watch.stop();
      toldLate.push(told.length - before);
    }
    expect(new Set(toldLate)).toEqual(new Set([0]));
  });
});

describe('a name that is free for a moment', () => {
  it('is not taken back from who came first', async () => {
    const { path, log, server } = await serve([Echo], { fileCheckIntervalMs: 50, onGone: 'recreate' });
    unlinkSync(path);
    writeFileSync(path, 'mine');
    await until(() => log.troubles.length > 0, 'it is said');
    await server.close();
    expect(readFileSync(path, 'utf8')).toBe('mine');
    expect(existsSync(dirname(path))).toBe(true);
    unlinkSync(path);
  });
});
