import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { type CallHandler, Controller, type ExecutionContext, UseInterceptors } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import type { Socket } from 'node:net';
import { interval, lastValueFrom, Observable, takeWhile } from 'rxjs';
import type { UdsClient } from '../../src/index.js';
import { type Child, startNode } from '../support/child.js';
import { clientOf, serve } from '../support/nest.js';
import { tempFolder } from '../support/temp.js';
import { turns, until } from '../support/wait.js';

// Processes that load Nest, on a machine that may be busy.
jest.setTimeout(90_000);

const ENDLESS = Number.MAX_SAFE_INTEGER;

const SERVER = `
  import 'reflect-metadata';
  import { Controller, Module } from '@nestjs/common';
  import { NestFactory } from '@nestjs/core';
  import { MessagePattern } from '@nestjs/microservices';
  import { UdsServer } from 'nest-uds';

  class Rows {
    async *rows({ count, bytes }) {
      for (let index = 0; index < count; index += 1) yield String(index).padEnd(bytes, '.');
    }
  }
  MessagePattern('rows')(Rows.prototype, 'rows', Object.getOwnPropertyDescriptor(Rows.prototype, 'rows'));
  Controller()(Rows);
  class Root {}
  Module({ controllers: [Rows] })(Root);
  const strategy = new UdsServer({ path: process.argv[1] });
  const app = await NestFactory.createMicroservice(Root, { strategy, logger: ['error'] });
  await app.listen();
  console.log('listening');`;

/** The socket file of a server that is killed stays. */
const pathToBeLeft = (): string => `${tempFolder({ mayLeave: /^app\.sock/ })}/app.sock`;

async function startServer(path: string): Promise<Child> {
  const server = startNode(['--input-type=module', '--eval', SERVER, path]);
  await server.says(/listening/);
  return server;
}

interface Rows {
  readonly count: number;
  readonly bytes: number;
}

/** One reading of a stream: how many rows came, each of them the one that was due. */
class Reading {
  rows = 0;

  constructor(private readonly bytes: number) {}

  take(row: string): boolean {
    if (Number.parseInt(row) !== this.rows || row.length !== this.bytes)
      throw new Error(`${row.slice(0, 20)} of ${row.length} came where ${this.rows} was due`);
    this.rows += 1;
    return true;
  }

  async byStream(client: UdsClient, ask: Rows): Promise<void> {
    for await (const row of client.stream<string>('rows', ask)) this.take(row);
  }

  async bySend(client: UdsClient, ask: Rows): Promise<void> {
    await lastValueFrom(client.send<string>('rows', ask).pipe(takeWhile((row) => this.take(row))));
  }
}

/** Three readings of each way at once. */
function readSix(client: UdsClient, ask: Rows): { readings: Reading[]; ended: Promise<void>[] } {
  const readings = Array.from({ length: 6 }, () => new Reading(ask.bytes));
  const ended = readings.map((reading, index) =>
    index % 2 === 0 ? reading.byStream(client, ask) : reading.bySend(client, ask),
  );
  return { readings, ended };
}

describe('a server process that is killed in the middle of streams', () => {
  it.each([20, 16 * 1024, 400_000])(
    'leaves rows without a gap, then CONNECTION_LOST, and its successor serves the client: rows of %d bytes',
    async (bytes) => {
      const path = pathToBeLeft();
      const client = clientOf(path);
      const server = await startServer(path);
      const { readings, ended } = readSix(client, { count: ENDLESS, bytes });
      const results = Promise.allSettled(ended);
      await until(() => readings.every(({ rows }) => rows > 20), 'rows come to all');
      server.signal('SIGKILL');
      expect(await server.exit()).toBe('SIGKILL');
      const lost = expect.objectContaining({ code: 'CONNECTION_LOST', retrySafe: false });
      expect(await results).toEqual(ended.map(() => ({ status: 'rejected', reason: lost })));

      await startServer(path);
      const next = readSix(client, { count: 50, bytes });
      await Promise.all(next.ended);
      expect(next.readings.map(({ rows }) => rows)).toEqual([50, 50, 50, 50, 50, 50]);
    },
  );

  it('leaves a slow reader what had arrived before', async () => {
    const BYTES = 16 * 1024;
    // what the default credit covers, and the one that is written while some of it is left
    const ROWS = 16;
    const path = pathToBeLeft();
    const client = clientOf(path);
    const server = await startServer(path);
    await client.connect();
    const socket = client.unwrap<Socket>();
    const greeted = socket.bytesRead;
    const reading = new Reading(BYTES);
    const reader = client.stream<string>('rows', { count: ENDLESS, bytes: BYTES });
    reading.take((await reader.next()).value ?? '');
    await until(() => socket.bytesRead - greeted >= ROWS * (BYTES + 10), 'all that the credit covers came');
    server.signal('SIGKILL');
    await server.exit();
    await until(() => socket.destroyed, 'the client noticed');
    const readOn = async (): Promise<void> => {
      for await (const row of reader) reading.take(row);
    };
    await expect(readOn()).rejects.toMatchObject({ code: 'CONNECTION_LOST' });
    expect(reading.rows).toBe(ROWS);
  });
});

const STREAMS = 20;
/** How many items each stream of a test has given, and how often it was closed. */
let given: number[] = [];
let closed: number[] = [];

beforeEach(() => {
  given = Array.from({ length: STREAMS + 1 }, () => 0);
  closed = [...given];
});

class HandOn {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle();
  }
}

@Controller()
class Sources {
  @MessagePattern('generator')
  async *generator(@Payload() id: number): AsyncGenerator<number> {
    try {
      while (true) yield given[id]!++;
    } finally {
      closed[id]! += 1;
    }
  }

  @MessagePattern('intercepted')
  @UseInterceptors(HandOn)
  intercepted(@Payload() id: number): AsyncGenerator<number> {
    return this.generator(id);
  }

  @MessagePattern('iterable')
  iterable(@Payload() id: number): AsyncIterable<number> {
    return {
      [Symbol.asyncIterator]: () => ({
        next: () => Promise.resolve({ done: false, value: given[id]!++ }),
        return: () => {
          closed[id]! += 1;
          return Promise.resolve({ done: true, value: undefined });
        },
      }),
    };
  }

  /** Slow enough to be never ahead of a reader that stops for the length of a test. */
  @MessagePattern('observable')
  observable(@Payload() id: number): Observable<number> {
    return new Observable((observer) => {
      const ticks = interval(1).subscribe(() => observer.next(given[id]!++));
      return () => {
        closed[id]! += 1;
        ticks.unsubscribe();
      };
    });
  }

  @MessagePattern('ping')
  ping(): string {
    return 'pong';
  }
}

const PATTERNS = ['generator', 'intercepted', 'iterable', 'observable'];
const CREDIT_BYTES = 1024;

/** What the process does with a stream once its first items have come. */
const READS = {
  'by stream()': 'for await (const item of client.stream(pattern, id)) take(item);',
  'by send()': 'client.send(pattern, id).subscribe(take);',
  'by stream(), and has stopped reading': `
    const reader = client.stream(pattern, id);
    for (let read = 0; read < 3; read += 1) take((await reader.next()).value);`,
};

/** A process that reads a stream of each kind five times, until it is killed. */
async function startReader(path: string, read: string): Promise<Child> {
  const script = `
    import { UdsClient } from 'nest-uds';
    const client = new UdsClient({ path: process.argv[1], streamCreditBytes: ${CREDIT_BYTES} });
    await client.connect();
    const patterns = ${JSON.stringify(PATTERNS)};
    let ready = 0;
    for (let id = 0; id < ${STREAMS}; id += 1) (async () => {
      const pattern = patterns[id % patterns.length];
      let due = 0;
      const take = (item) => {
        if (item !== due++) throw new Error(item + ' came to ' + id);
        if (due === 3 && ++ready === ${STREAMS}) console.log('reading');
      };
      ${read}
    })();`;
  const reader = startNode(['--input-type=module', '--eval', script, path]);
  await reader.says(/reading/);
  return reader;
}

describe('a client process that is killed in the middle of twenty streams', () => {
  it.each(Object.keys(READS) as (keyof typeof READS)[])(
    'has each source closed once and pulled no further, and no other client notices: read %s',
    async (how) => {
      const { path, log } = await serve([Sources]);
      const other = clientOf(path);
      const statuses: string[] = [];
      other.status.subscribe((status) => statuses.push(status));
      const stream = other.stream<number>('generator', STREAMS);
      expect((await stream.next()).value).toBe(0);

      const reader = await startReader(path, READS[how]);
      if (how.endsWith('stopped reading')) {
        // an item makes a frame of 13 bytes at most here
        await until(() => given.every((items) => items >= CREDIT_BYTES / 13), 'their credit is used up');
      }
      reader.signal('SIGKILL');
      expect(await reader.exit()).toBe('SIGKILL');
      await until(() => closed.slice(0, STREAMS).every((times) => times > 0), 'all were closed');

      const before = given.slice(0, STREAMS);
      for (let due = 1; due <= 5000; due += 1) expect((await stream.next()).value).toBe(due);
      expect(await lastValueFrom(other.send('ping', 1))).toBe('pong');
      await turns();
      expect(given.slice(0, STREAMS)).toEqual(before);
      expect(closed).toEqual([...before.map(() => 1), 0]);
      expect({ statuses, troubles: log.troubles }).toEqual({ statuses: ['connected'], troubles: [] });
    },
  );
});
