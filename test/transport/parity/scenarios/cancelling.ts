import { Controller } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { Socket } from 'node:net';
import { defer, finalize, type Observable, Subject, take, timeout } from 'rxjs';
import { Gate, turns, until } from '../../../support/wait.js';
import type { Client } from '../kit.js';
import { equal, exception, type Row, type Scenario, type See } from '../row.js';
import { completes, fails, trace } from '../trace.js';
import { type Application, Journal, served, type World } from '../world.js';

const LARGE = 'x'.repeat(100_000);

@Controller()
class Works {
  /** What the handler of `stream` emits; ended at the end of a row. */
  readonly source = new Subject<unknown>();
  /** What the handler of `promise` waits for. */
  readonly done = new Gate();

  constructor(private readonly journal: Journal) {}

  @MessagePattern('stream')
  stream(): Observable<unknown> {
    return defer(() => {
      this.journal.note('runs');
      return this.source.pipe(finalize(() => this.journal.note('torn down')));
    });
  }

  @MessagePattern('generator')
  async *generator(): AsyncGenerator<string> {
    try {
      for (;;) yield LARGE;
    } finally {
      this.journal.note('torn down');
    }
  }

  @MessagePattern('promise')
  async promise(): Promise<string> {
    this.journal.note('runs');
    await this.done.opened;
    this.journal.note('ends');
    return 'for nobody';
  }

  @MessagePattern('beside')
  beside(@Payload() data: unknown): unknown {
    return data;
  }
}

/** Notes what the server sees of its connections, too. */
const app: Application = {
  controllers: [Works],
  prepare: (nest, _server, journal) => {
    nest.on('connection', (socket: Socket) => socket.once('close', () => journal.note('disconnected')));
  },
};

/** By now the server has read what was sent before: calls behind it, on the same connection, have been answered. */
async function settle(client: Client): Promise<void> {
  for (let call = 0; call < 3; call += 1) await trace(client.send('beside', call));
  await turns();
}

/**
 * Leaves a call, and gives what the handler noted then, and once its source has ended. `leave` makes the call on
 * its own client.
 */
const left = (leave: (client: Client, world: World) => Promise<unknown>): See =>
  served(app, async (world) => {
    const { kit, server, journal } = world;
    const client = kit.client(server);
    const caller = await leave(client, world);
    await settle(client);
    const noted = [...journal.notes];
    world.app.get(Works).source.complete();
    await settle(client);
    return { caller, noted, afterItsEnd: [...journal.notes] };
  });

/** Leaves a call whose handler TCP lets run on; `caller` is what the one who left has seen. */
const leaves = (says: string, see: See, caller: unknown): Row =>
  exception(says, see, {
    tcp: {
      says: 'is never torn down: the handler runs until its source ends',
      sees: { caller, noted: ['runs'], afterItsEnd: ['runs', 'torn down'] },
    },
    uds: {
      says: 'is torn down at once, and once',
      sees: { caller, noted: ['runs', 'torn down'], afterItsEnd: ['runs', 'torn down'] },
    },
    because: 'A call that nobody waits for any more costs the server nothing.',
  });

/** Subscribes to the stream, and notes what comes of it. */
async function subscribed(client: Client, { journal }: World) {
  const came: unknown[] = [];
  const subscription = client.send('stream', 1).subscribe((value) => came.push(value));
  await journal.whenNoted(1);
  return { came, subscription };
}

const unsubscribing = left(async (client, world) => {
  const { came, subscription } = await subscribed(client, world);
  subscription.unsubscribe();
  return came;
});

const takingOne = left(async (client, world) => {
  const seen = trace(client.send('stream', 1).pipe(take(1)));
  await world.journal.whenNoted(1);
  world.app.get(Works).source.next('one');
  return await seen;
});

/** The time of a slow machine is not to run out before the handler runs. */
const timingOut = left(async (client, world) => {
  const seen = trace(client.send('stream', 1).pipe(timeout({ first: 10_000, each: 20 })));
  await world.journal.whenNoted(1);
  world.app.get(Works).source.next('one');
  return await seen;
});

/** A client whose connection ends while it reads a stream; gives what the handler noted once the server saw that. */
const gone = (end: (client: Client) => unknown): See =>
  served(app, async (world) => {
    const { kit, server, journal } = world;
    const client = kit.client(server);
    const seen = trace(client.send('stream', 1));
    await journal.whenNoted(1);
    await end(client);
    await seen;
    await until(() => journal.notes.includes('disconnected'), 'the server saw the end of the connection');
    await settle(world.client);
    const noted = [...journal.notes].sort();
    world.app.get(Works).source.complete();
    await settle(world.client);
    return { noted, afterItsEnd: [...journal.notes].sort() };
  });

const disconnects = (says: string, end: (client: Client) => unknown): Row =>
  exception(says, gone(end), {
    tcp: {
      says: 'is never torn down: the handler runs until its source ends',
      sees: { noted: ['disconnected', 'runs'], afterItsEnd: ['disconnected', 'runs', 'torn down'] },
    },
    uds: {
      says: 'is torn down, once',
      sees: {
        noted: ['disconnected', 'runs', 'torn down'],
        afterItsEnd: ['disconnected', 'runs', 'torn down'],
      },
    },
    because: 'A caller that is gone costs the server nothing any more.',
  });

const generating = served(app, async ({ client, journal }) => {
  const { end } = await trace(client.send('generator', 1).pipe(take(1)));
  await settle(client);
  return [end, [...journal.notes]];
});

/** Values that are emitted after a caller has left; another caller hears them. */
const unheard: See = served(app, async (world) => {
  const { kit, server, client, app: nest } = world;
  const { came, subscription } = await subscribed(kit.client(server), world);
  const other = trace(client.send('stream', 1));
  await until(() => world.journal.notes.length === 2, 'both callers are heard');
  const { source } = nest.get(Works);
  source.next('for both');
  await until(() => came.length === 1, 'the first value came');
  subscription.unsubscribe();
  source.next('for one');
  source.complete();
  const heard = await other;
  await settle(client);
  return { came, heard };
});

/** A promise that a caller did not wait for. */
const promised: See = served(app, async (world) => {
  const { client, journal, app: nest } = world;
  const came: unknown[] = [];
  const call = client.send('promise', 1).subscribe((value) => came.push(value));
  await journal.whenNoted(1);
  call.unsubscribe();
  await settle(client);
  const noted = [...journal.notes];
  nest.get(Works).done.open();
  await journal.whenNoted(2);
  await settle(client);
  return { noted, afterwards: [...journal.notes], came };
});

export const cancelling: Scenario = {
  title: 'Leaving a call',
  rows: [
    leaves('unsubscribing from a handler that returns an Observable', unsubscribing, []),
    leaves('`take(1)` of a handler that returns an Observable', takingOne, completes('one')),
    leaves(
      'rxjs `timeout()` on a handler that returns an Observable',
      timingOut,
      fails('TimeoutError: Timeout has occurred', 'one'),
    ),
    disconnects('a client that closes while it reads an Observable', (client) => client.close()),
    disconnects('a client that loses its connection while it reads an Observable', (client) => {
      client.unwrap<Socket>().destroy();
    }),
    exception('`take(1)` of an async generator that never ends', generating, {
      tcp: { says: 'never runs it: its JSON is the one value', sees: ['completes', []] },
      uds: { says: 'is ended by `return()`: its `finally` runs', sees: ['completes', ['torn down']] },
      because: 'A call that nobody waits for any more costs the server nothing.',
    }),
    equal(
      'a promise handler runs to its end after its caller unsubscribed; its result is dropped',
      promised,
      {
        noted: ['runs'],
        afterwards: ['runs', 'ends'],
        came: [],
      },
    ),
    equal('a caller that unsubscribed hears nothing more, another caller of the handler does', unheard, {
      came: ['for both'],
      heard: completes('for both', 'for one'),
    }),
  ],
};
