import { BaseRpcContext } from '@nestjs/microservices';
import { firstValueFrom, lastValueFrom } from 'rxjs';
import { turns, until } from '../../../support/wait.js';
import type { Context } from '../calls.js';
import { hooked, HOOKED } from '../hooked.js';
import { equal, exception, type Row, type Scenario } from '../row.js';
import { fails, trace, traceBeside, waits } from '../trace.js';
import { type Application, served, type World } from '../world.js';

const ALL = ['start', 'handler', 'end'];
const WITHOUT_HANDLER = ['start', 'end'];

/** All that was noted, once nothing more comes. */
async function notesOf({ journal }: World, count: number): Promise<unknown[]> {
  await journal.whenNoted(count);
  await turns();
  return journal.notes;
}

/** What hooks and handler note of a message. */
const noted = (says: string, pattern: string, notes = ALL): Row =>
  equal(
    says,
    served(hooked(), async (world) => {
      await trace(world.client.send(pattern, 1));
      return await notesOf(world, notes.length);
    }),
    notes,
  );

/** The same of an event. */
const notedOfEvent = (says: string, pattern: string, notes = ALL): Row =>
  equal(
    says,
    served(hooked(), async (world) => {
      await lastValueFrom(world.client.emit(pattern, 1));
      return await notesOf(world, notes.length);
    }),
    notes,
  );

const delayed = hooked({ start: (done) => turns().then(done) });

const brokenAtStart = hooked({
  start: (done, pattern) => {
    if (pattern === 'promise') return done();
    throw new Error('broken hook');
  },
});

/** One that rejects, as an async function that throws. */
const brokenSoon = hooked({
  start: async () => {
    await turns(1);
    throw new Error('broken hook');
  },
});

const brokenAtEnd = hooked({
  end: () => {
    throw new Error('broken hook');
  },
});

/** What the hooks are given, beside what the handler is given. */
const contexts: Application = {
  controllers: HOOKED,
  prepare: (_app, server, journal) => {
    server.setOnProcessingStartHook((transportId, context, done): unknown => {
      journal.note([transportId, context]);
      return done();
    });
    server.setOnProcessingEndHook((transportId, context) => journal.note([transportId, context]));
  },
};

async function seeContexts({ client, server, journal }: World): Promise<unknown> {
  client.setOnDispatchHook((packet) => (packet.metadata = { trace: 'a1' }));
  await trace(client.send({ cmd: 'context' }, 1));
  const [start, handler, end] = (await journal.whenNoted(3)) as [unknown[], Context, unknown[]];
  return {
    bothNameTheTransport: start[0] === server.transportId && end[0] === server.transportId,
    bothGetTheHandlersContext: start[1] === handler && end[1] === handler,
    isOfNest: handler instanceof BaseRpcContext,
    pattern: handler.getPattern(),
    metadata: handler.getMetadata(),
  };
}

export const processingHooks: Scenario = {
  title: 'Processing hooks',
  rows: [
    noted('processing hooks around a handler that returns a value', 'value'),
    noted('processing hooks around a handler that returns a promise', 'promise'),
    noted('processing hooks around a handler that returns an Observable', 'observable'),
    noted('processing hooks around an Observable that fails', 'observable-fails'),
    noted('processing hooks around a handler that throws', 'throws'),
    noted('processing hooks around a handler that rejects', 'rejects'),
    noted('processing hooks around a message that a guard refuses', 'refused', WITHOUT_HANDLER),
    noted('processing hooks around a guard that throws', 'breaks', WITHOUT_HANDLER),
    noted('no processing hook runs for a message that nobody handles', 'nobody', []),
    notedOfEvent('processing hooks around an event', 'told'),
    notedOfEvent('processing hooks around an event whose handler returns an Observable', 'told-stream'),
    notedOfEvent('processing hooks around an event whose Observable fails', 'told-stream-fails'),
    notedOfEvent('processing hooks around an event whose handler throws', 'told-fails'),
    notedOfEvent('processing hooks around an event that a guard refuses', 'told-refused', WITHOUT_HANDLER),
    notedOfEvent('no processing hook runs for an event that nobody handles', 'nobody', []),
    equal('the arguments of the processing hooks: transport id and context', served(contexts, seeContexts), {
      bothNameTheTransport: true,
      bothGetTheHandlersContext: true,
      isOfNest: true,
      pattern: '{"cmd":"context"}',
      metadata: { trace: 'a1' },
    }),
    equal(
      'an async start hook: the handler waits for it',
      served(delayed, async (world) => {
        const answer = await trace(world.client.send('value', 1));
        return [answer.values, await notesOf(world, 3)];
      }),
      [['value'], ALL],
    ),
    equal(
      'a start hook that rejects: the handler does not run, and the error is logged',
      served(brokenSoon, async (world) => {
        await lastValueFrom(world.client.emit('told', 1));
        await until(() => world.log.troubles.length > 0, 'the error was logged');
        return [await notesOf(world, 1), world.log.troubles];
      }),
      [['start'], ['broken hook']],
    ),
    equal(
      'a start hook that throws before an event: it is logged, and no handler runs',
      served(brokenAtStart, async (world) => {
        await lastValueFrom(world.client.emit('told', 1));
        return [await notesOf(world, 1), world.log.troubles];
      }),
      [['start'], ['broken hook']],
    ),
    equal(
      'an end hook that throws behind an event: it is logged',
      served(brokenAtEnd, async (world) => {
        await lastValueFrom(world.client.emit('told', 1));
        return [await notesOf(world, 3), world.log.troubles];
      }),
      [ALL, ['broken hook']],
    ),
    exception(
      'a start hook that throws before a message',
      served(brokenAtStart, (world) => traceBeside(world.client.send('value', 1), world, 'promise')),
      {
        tcp: { says: 'waits for ever', sees: waits() },
        uds: { says: 'fails the call with HANDLER_FAILED', sees: fails('RemoteError HANDLER_FAILED') },
        because: 'A caller that nobody will answer is told so.',
      },
    ),
    exception(
      'processing hooks around a call whose caller unsubscribes',
      served(hooked(), async (world) => {
        const call = world.client.send('never', 1).subscribe();
        await world.journal.whenNoted(2);
        call.unsubscribe();
        await firstValueFrom(world.client.send('value', 1));
        return await notesOf(world, 5);
      }),
      {
        tcp: {
          says: 'changes nothing: the handler goes on, and its end hook waits for it',
          sees: ['start', 'handler', ...ALL],
        },
        uds: {
          says: 'stops the handler, and runs the end hook at once',
          sees: ['start', 'handler', 'torn down', 'end', ...ALL],
        },
        because: 'A cancelled call costs the server nothing more.',
      },
    ),
  ],
};
