import { describe, expect, it, jest } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { lastValueFrom } from 'rxjs';
import type { UdsClient } from '../../src/index.js';
import { startNode } from '../support/child.js';
import { clientOf } from '../support/nest.js';
import { tempFolder } from '../support/temp.js';

// A process that loads Nest, and a reader that takes its time.
jest.setTimeout(90_000);

const MIB = 1024 ** 2;
const ITEM_BYTES = 16 * 1024;
/** An item with the header of its frame. */
const FRAME_BYTES = ITEM_BYTES + 10;
const SMALL_CREDIT_BYTES = 64 * 1024;
const DEFAULT_CREDIT_BYTES = 256 * 1024;
/** The server's default of maxStreamBufferBytes. */
const KEPT_BYTES = MIB;
/** The pace of the reader: what these tests are about, and not a wait for something. */
const PACE_MS = 1000;
const LIMIT_MS = 10_000;

const SERVER = `
  import 'reflect-metadata';
  import { setImmediate as turn } from 'node:timers/promises';
  import { Controller, Module } from '@nestjs/common';
  import { NestFactory } from '@nestjs/core';
  import { MessagePattern } from '@nestjs/microservices';
  import { UdsServer } from 'nest-uds';
  import { Observable } from 'rxjs';

  const counts = { pulls: 0, finallyRan: 0, emitted: 0, tornDown: 0 };
  // with bytes of its own: what padEnd gives shares its filler with others
  const item = (index) => Buffer.from(String(index).padEnd(${ITEM_BYTES}, '.')).toString('latin1');

  class Endless {
    async *pulled() {
      try {
        for (let index = 0; ; index += 1) {
          counts.pulls += 1;
          yield item(index);
        }
      } finally {
        counts.finallyRan += 1;
      }
    }
    pushed() {
      return new Observable((observer) => {
        let index = 0;
        const push = () => {
          counts.emitted += 1;
          observer.next(item(index++));
          if (!observer.closed) next = setImmediate(push);
        };
        let next = setImmediate(push);
        return () => {
          counts.tornDown += 1;
          clearImmediate(next);
        };
      });
    }
    echo(text) {
      return text;
    }
    async report() {
      // what a first collection only marks as free, the second frees
      for (let round = 0; round < 2; round += 1) {
        gc();
        await turn();
      }
      const { heapUsed, external } = process.memoryUsage();
      return { ...counts, memory: heapUsed + external };
    }
  }
  for (const name of ['pulled', 'pushed', 'echo', 'report'])
    MessagePattern(name)(Endless.prototype, name, Object.getOwnPropertyDescriptor(Endless.prototype, name));
  Controller()(Endless);
  class Root {}
  Module({ controllers: [Endless] })(Root);
  const strategy = new UdsServer({ path: process.argv[1] });
  const app = await NestFactory.createMicroservice(Root, { strategy, logger: ['error'] });
  await app.listen();
  console.log('listening');`;

interface Report {
  readonly pulls: number;
  readonly finallyRan: number;
  readonly emitted: number;
  readonly tornDown: number;
  /** Bytes of its heap and of its buffers. */
  readonly memory: number;
}

/** The path of a server process. */
async function startServer(): Promise<string> {
  const path = `${tempFolder({ mayLeave: /^app\.sock/ })}/app.sock`;
  const server = startNode(['--expose-gc', '--input-type=module', '--eval', SERVER, path]);
  await server.says(/listening/);
  return path;
}

const reportOf = (client: UdsClient): Promise<Report> => lastValueFrom(client.send<Report>('report', 1));

async function reportWhen(client: UdsClient, holds: (report: Report) => boolean): Promise<Report> {
  const endsAtMs = performance.now() + LIMIT_MS;
  let report = await reportOf(client);
  while (!holds(report)) {
    if (performance.now() > endsAtMs)
      throw new Error(`Waited in vain; the last was ${JSON.stringify(report)}`);
    report = await reportOf(client);
  }
  return report;
}

type Reader = AsyncIterator<string, undefined>;

/** Reads the item that is due, and no other. */
async function readItem(reader: Reader, index: number): Promise<void> {
  const { value } = await reader.next();
  expect(value).toHaveLength(ITEM_BYTES);
  expect(Number.parseInt(value ?? '')).toBe(index);
}

/** How many items come, in order from `index` on, before the stream fails with STREAM_OVERFLOW. */
async function itemsUntilOverflow(reader: AsyncIterable<string>, index: number): Promise<number> {
  let due = index;
  const reading = async (): Promise<void> => {
    for await (const item of reader) {
      expect(Number.parseInt(item)).toBe(due);
      due += 1;
    }
  };
  await expect(reading()).rejects.toMatchObject({ code: 'STREAM_OVERFLOW' });
  return due - index;
}

/**
 * What a generator may have given for `read` items taken: those, and the ones that the credit covers. Rounded up, as an
 * item may be written while any credit is left.
 */
const mostPulls = (read: number, creditBytes: number): number => read + Math.ceil(creditBytes / FRAME_BYTES);

describe('a reader that takes one item a second', () => {
  it('holds an endless generator back, and memory does not grow', async () => {
    const path = await startServer();
    const client = clientOf(path, { streamCreditBytes: SMALL_CREDIT_BYTES });
    const watcher = clientOf(path);
    const reader = client.stream<string>('pulled', 1);
    const reports: Report[] = [];
    for (let read = 1; read <= 7; read += 1) {
      await readItem(reader, read - 1);
      await delay(PACE_MS);
      const report = await reportOf(watcher);
      reports.push(report);
      expect(report.pulls).toBeLessThanOrEqual(mostPulls(read, SMALL_CREDIT_BYTES));
    }
    // it was paused and went on, more than once
    expect(new Set(reports.map(({ pulls }) => pulls)).size).toBeGreaterThan(2);
    // The first reading has loaded and compiled what a stream needs. A generator that is not paused makes some 100 MiB a
    // second: were but a hundredth of its items kept, the five seconds in between would be too much for this bound.
    expect(reports.at(-1)!.memory - reports[1]!.memory).toBeLessThan(4 * MIB);
    await reader.return?.();
    await reportWhen(watcher, ({ finallyRan }) => finallyRan === 1);
  });

  it('has an endless Observable torn down once, and nothing kept of it', async () => {
    const path = await startServer();
    const client = clientOf(path, { streamCreditBytes: SMALL_CREDIT_BYTES });
    const watcher = clientOf(path);
    const reader = client.stream<string>('pushed', 1);
    await readItem(reader, 0);
    await delay(PACE_MS);
    const first = await reportWhen(watcher, ({ tornDown }) => tornDown > 0);
    await readItem(reader, 1);
    await delay(PACE_MS);
    await readItem(reader, 2);
    await delay(PACE_MS);
    expect(await itemsUntilOverflow(reader, 3)).toBeLessThan(mostPulls(2, SMALL_CREDIT_BYTES));
    const last = await reportOf(watcher);
    // what the credit covers, what the server keeps, and the item that was one too many
    const most = mostPulls(2, SMALL_CREDIT_BYTES) + Math.ceil(KEPT_BYTES / ITEM_BYTES) + 1;
    expect(last.emitted).toBeLessThanOrEqual(most);
    expect(last).toMatchObject({ emitted: first.emitted, tornDown: 1 });

    const readers = Array.from({ length: 30 }, () => client.stream<string>('pushed', 1));
    await Promise.all(readers.map((each) => readItem(each, 0)));
    const all = await reportWhen(watcher, ({ tornDown }) => tornDown >= 31);
    // Thirty that kept their MiB each would take thirty. Buffers take some turns to be freed, behind the collection.
    await reportWhen(watcher, ({ memory }) => memory - first.memory < 8 * MIB);
    for (const each of readers) await itemsUntilOverflow(each, 1);
    expect(await reportOf(watcher)).toMatchObject({ emitted: all.emitted, tornDown: 31 });
  });
});

describe('twenty readers of one connection that take one item a second', () => {
  it('hold their generators back, and leave the way free for other calls', async () => {
    const STREAMS = 20;
    const path = await startServer();
    const client = clientOf(path);
    const readers = Array.from({ length: STREAMS }, () => client.stream<string>('pulled', 1));
    const reports: Report[] = [];
    for (let read = 1; read <= 5; read += 1) {
      await Promise.all(readers.map((reader) => readItem(reader, read - 1)));
      const pause = delay(PACE_MS);
      for (let call = 0; call < 200; call += 1) {
        expect(await lastValueFrom(client.send('echo', `${read}/${call}`))).toBe(`${read}/${call}`);
      }
      await pause;
      const report = await reportOf(client);
      reports.push(report);
      expect(report.pulls).toBeLessThanOrEqual(STREAMS * mostPulls(read, DEFAULT_CREDIT_BYTES));
    }
    expect(reports.at(-1)!.memory - reports[1]!.memory).toBeLessThan(4 * MIB);
    for (const reader of readers) await reader.return?.();
    await reportWhen(client, ({ finallyRan }) => finallyRan === STREAMS);
  });
});
