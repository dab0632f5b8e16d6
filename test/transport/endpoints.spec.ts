import { beforeEach, describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { Ctx, MessagePattern, Payload } from '@nestjs/microservices';
import { existsSync, lstatSync, readdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { lastValueFrom } from 'rxjs';
import { UdsContext, type UdsEndpoint, UdsServer, type UdsStats } from '../../src/index.js';
import { afterThisTest } from '../support/cleanup.js';
import { clientOf, serve } from '../support/nest.js';
import { RawPeer } from '../support/raw-peer.js';
import { leaveStaleSocket } from '../support/stale.js';
import { tempFolder } from '../support/temp.js';
import { packetOf, TextPeer } from '../support/text-peer.js';
import { Gate, until } from '../support/wait.js';

let gate = new Gate();
let seen: unknown[] = [];

beforeEach(() => {
  gate = new Gate();
  seen = [];
});

@Controller()
class Answers {
  @MessagePattern('echo')
  echo(@Payload() data: unknown): unknown {
    seen.push(data);
    return data;
  }

  @MessagePattern('gated')
  async gated(@Payload() data: unknown): Promise<unknown> {
    seen.push(data);
    await gate.opened;
    return data;
  }

  @MessagePattern('stats')
  stats(@Ctx() context: UdsContext): UdsStats {
    return context.stats();
  }
}

/** One endpoint of each kind, in a folder of its own. */
function three(): { folder: string; paths: [string, string, string]; endpoints: UdsEndpoint[] } {
  const folder = tempFolder();
  const paths: [string, string, string] = [join(folder, 'a'), join(folder, 'b'), join(folder, 'c')];
  const endpoints: UdsEndpoint[] = [
    { path: paths[0], mode: 0o640, dialects: ['binary'] },
    { path: paths[1], mode: 0o666, dialects: ['ndjson', 'nest-json'] },
    { path: paths[2], dialects: ['raw'], pattern: 'echo' },
  ];
  return { folder, paths, endpoints };
}

const modeOf = (path: string): string => (lstatSync(path).mode & 0o7777).toString(8);

/** What listening fails with. */
async function failure(endpoints: readonly UdsEndpoint[]): Promise<unknown> {
  const server = new UdsServer({ endpoints, closeTimeoutMs: 500, probeTimeoutMs: 300 });
  afterThisTest(() => server.close());
  return await new Promise((resolve) => server.listen(resolve));
}

describe('several endpoints', () => {
  it('reach one handler, each in its dialects', async () => {
    const { paths, endpoints } = three();
    await serve([Answers], { endpoints });
    expect(await lastValueFrom(clientOf(paths[0]).send('echo', 'binary'))).toBe('binary');
    const lines = await TextPeer.to(paths[1]);
    lines.sendLines({ id: 1, pattern: 'echo', data: 'ndjson' });
    expect(await lines.linesCome(1)).toEqual([{ id: 1, response: 'ndjson' }]);
    const nest = await TextPeer.to(paths[1]);
    nest.send(packetOf({ pattern: 'echo', data: 'nest-json', id: 'x' }));
    expect(await nest.packetsCome(1)).toEqual([{ response: 'nest-json', isDisposed: true, id: 'x' }]);
    const raw = await TextPeer.to(paths[2]);
    raw.send('raw');
    await raw.textComes('raw');
    expect(raw.text).toBe('raw');
    expect(seen).toEqual(['binary', 'ndjson', 'nest-json', expect.any(Uint8Array)]);
  });

  it('have each their own mode, or that of the server', async () => {
    const { folder, paths, endpoints } = three();
    await serve([Answers], { endpoints, mode: 0o660 });
    expect(paths.map(modeOf)).toEqual(['640', '666', '660']);
    expect(readdirSync(folder)).toEqual(['a', 'b', 'c']);
  });

  it('replace each a stale file', async () => {
    const { folder, paths, endpoints } = three();
    for (const path of paths) await leaveStaleSocket(path);
    await serve([Answers], { endpoints });
    expect(await lastValueFrom(clientOf(paths[0]).send('echo', 1))).toBe(1);
    expect(readdirSync(folder)).toEqual(['a', 'b', 'c']);
  });

  it('take each maxConnections of their own', async () => {
    const { paths, endpoints } = three();
    const { server, log } = await serve([Answers], { endpoints, maxConnections: 2 });
    let accepted = 0;
    server.on('connection', () => (accepted += 1));
    const peers = await Promise.all([...paths, ...paths].map((path) => TextPeer.to(path)));
    await until(() => accepted === 6, 'all were accepted');
    const one = await TextPeer.to(paths[1]);
    await one.closed();
    expect(log.troubles).toEqual([expect.stringMatching(/^TOO_MANY_CONNECTIONS: .* 2 .*endpoint/)]);
    expect(peers.map(({ isClosed }) => isClosed)).not.toContain(true);
  });

  it('are counted each: context.stats() names path, dialects, pattern and who is there', async () => {
    const { paths, endpoints } = three();
    await serve([Answers], { endpoints });
    const client = clientOf(paths[0]);
    const [first, second] = [await TextPeer.to(paths[1]), await TextPeer.to(paths[1])];
    const raw = await TextPeer.to(paths[2]);
    // each was accepted when it is answered
    for (const peer of [first, second])
      await peer.sendLines({ id: 1, pattern: 'echo', data: 1 }).linesCome(1);
    await raw.send('x').textComes('x');
    const stats = (): Promise<UdsStats> => lastValueFrom(client.send<UdsStats>('stats', 1));
    expect(await stats()).toEqual({
      connections: 4,
      callsServed: 3,
      callsInFlight: 1,
      endpoints: [
        { path: paths[0], dialects: ['binary'], connections: 1 },
        { path: paths[1], dialects: ['ndjson', 'nest-json'], connections: 2 },
        { path: paths[2], dialects: ['raw'], pattern: 'echo', connections: 1 },
      ],
    });
    for (const peer of [first, raw]) await peer.end().closed();
    expect((await stats()).endpoints.map(({ connections }) => connections)).toEqual([1, 1, 0]);
  });

  it('tell server.on of the connections of each; server.unwrap gives the first', async () => {
    const { paths, endpoints } = three();
    let listening = 0;
    const { server } = await serve([Answers], {
      endpoints,
      prepare: (_app, early) => early.on('listening', () => (listening += 1)),
    });
    expect(listening).toBe(3);
    let heard = 0;
    let first = 0;
    server.on('connection', () => (heard += 1));
    server.unwrap().on('connection', () => (first += 1));
    for (const path of paths) await TextPeer.to(path);
    await until(() => heard === 3, 'all were heard of');
    expect(first).toBe(1);
  });
});

describe('where one of the endpoints can not be had', () => {
  it.each<[string, string, (path: string) => unknown, (path: string) => void]>([
    [
      'a file has its path',
      'NOT_A_SOCKET',
      (path) => writeFileSync(path, 'precious'),
      (path) => {
        expect(readFileSync(path, 'utf8')).toBe('precious');
        unlinkSync(path);
      },
    ],
    [
      'a live server has its path',
      'ADDRESS_IN_USE',
      (path) => serve([Answers], { path }),
      (path) => expect(existsSync(path)).toBe(true),
    ],
  ])('because %s, there is none: %s', async (_why, code, make, look) => {
    const { folder, paths, endpoints } = three();
    await make(paths[2]);
    const binary: UdsEndpoint[] = [...endpoints.slice(0, 2), { path: paths[2] }];
    expect(await failure(binary)).toMatchObject({ code, message: expect.stringContaining(paths[2]) });
    expect(readdirSync(folder)).toEqual(['c']);
    look(paths[2]);
  });

  it('because its directory is missing, there is none', async () => {
    const { folder, endpoints } = three();
    const missing = { path: join(folder, 'missing', 'd') };
    expect(await failure([...endpoints, missing])).toMatchObject({ code: 'DIRECTORY_MISSING' });
    expect(await failure([missing, ...endpoints])).toMatchObject({ code: 'DIRECTORY_MISSING' });
    expect(readdirSync(folder)).toEqual([]);
  });

  it('those who came meanwhile are sent away, and the same server may listen once it is free', async () => {
    const { folder, paths, endpoints } = three();
    const silent = await serve([Answers], { path: paths[2] });
    const server = new UdsServer({
      endpoints: [...endpoints.slice(0, 2), { path: paths[2] }],
      closeTimeoutMs: 500,
    });
    afterThisTest(() => server.close());
    server.addHandler('echo', async (data: unknown) => data);
    // The first endpoints listen while the last one's path is asked who lives there.
    const early: Promise<TextPeer>[] = [];
    const accepted: Socket[] = [];
    server.on('connection', (socket: Socket) => accepted.push(socket));
    const net = server.unwrap();
    net.once('listening', () => {
      const { path } = { path: net.address() as string };
      early.push(TextPeer.to(path));
    });
    const error: unknown = await new Promise((resolve) => server.listen(resolve));
    expect(error).toMatchObject({ code: 'ADDRESS_IN_USE' });
    for (const peer of await Promise.all(early)) await peer.closed();
    expect(accepted.map(({ destroyed }) => destroyed)).not.toContain(false);
    expect(net.listening).toBe(false);
    expect(readdirSync(folder)).toEqual(['c']);

    await silent.app.close();
    expect(await new Promise((resolve) => server.listen(resolve))).toBeUndefined();
    expect(await lastValueFrom(clientOf(paths[2]).send('echo', 'now'))).toBe('now');
  });
});

describe('a raw endpoint that is live', () => {
  it('is not replaced, and a server that asks who is there calls nobody', async () => {
    const { paths, endpoints } = three();
    const { log } = await serve([Answers], { endpoints });
    const { ino } = lstatSync(paths[2]);
    expect(await failure(endpoints.slice(2))).toMatchObject({ code: 'ADDRESS_IN_USE' });
    expect(lstatSync(paths[2]).ino).toBe(ino);
    const raw = await TextPeer.to(paths[2]);
    await raw.send('x').textComes('x');
    expect(seen).toHaveLength(1);
    expect(log.troubles).toEqual([]);
  });
});

describe('a server with several endpoints that closes', () => {
  it('takes all files away at once, finishes what runs at each, and ends', async () => {
    const { folder, paths, endpoints } = three();
    const gated: UdsEndpoint[] = [
      ...endpoints.slice(0, 2),
      { path: paths[2], dialects: ['raw'], pattern: 'gated' },
    ];
    const { app } = await serve([Answers], { endpoints: gated, closeTimeoutMs: 10_000 });
    const client = clientOf(paths[0]);
    const answer = lastValueFrom(client.send('gated', 'binary'));
    const lines = (await TextPeer.to(paths[1])).sendLines({ id: 1, pattern: 'gated', data: 'ndjson' });
    const nest = (await TextPeer.to(paths[1])).sendPackets({ pattern: 'gated', data: 'nest', id: '1' });
    const raw = (await TextPeer.to(paths[2])).send('raw');
    const silent = await RawPeer.to(paths[1]);
    await until(() => seen.length === 4, 'all run');
    let isClosed = false;
    const closing = app.close().then(() => (isClosed = true));
    await until(() => readdirSync(folder).length === 0, 'the files are gone');
    await silent.closed();
    expect(isClosed).toBe(false);
    gate.open();
    await closing;
    expect(await answer).toBe('binary');
    for (const peer of [lines, nest, raw]) await peer.closed();
    expect(lines.lines).toEqual([{ id: 1, response: 'ndjson' }]);
    expect(nest.packets).toEqual([{ response: 'nest', isDisposed: true, id: '1' }]);
    expect(raw.text).toBe('raw');
    await expect(TextPeer.to(paths[1])).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
