import { Controller } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { InvalidMessageException } from '@nestjs/microservices/errors/invalid-message.exception.js';
import { type Observable, ReplaySubject } from 'rxjs';
import { equal, exception, type Row, type Scenario, type See } from '../row.js';
import { completes, fails, type Trace, trace } from '../trace.js';
import { Journal, served, type World } from '../world.js';

const NOBODY = 'There is no matching message handler defined in the remote service.';
const NOBODY_FOR_EVENTS = 'There is no matching event handler defined in the remote service. Event pattern: ';
const LONG = 'x'.repeat(1000);

/** Notes every payload, and has a handler for patterns that look like nothing. */
@Controller()
class Noting {
  constructor(private readonly journal: Journal) {}

  @MessagePattern('message')
  message(@Payload() payload: unknown): unknown {
    this.journal.note(payload);
    return payload;
  }

  @EventPattern('event')
  event(@Payload() payload: unknown): void {
    this.journal.note(payload);
  }

  @MessagePattern(['', 0])
  nothing(@Payload() payload: unknown): string {
    this.journal.note(payload);
    return 'reached';
  }

  @MessagePattern('beside')
  beside(): string {
    return 'beside';
  }
}

@Controller()
class Streaming {
  readonly #values = new ReplaySubject<string>();

  @MessagePattern('values')
  values(): Observable<string> {
    return this.#values;
  }

  @MessagePattern('value')
  value(@Payload() value: string): string {
    this.#values.next(value);
    return value;
  }

  @MessagePattern('end')
  end(): string {
    this.#values.complete();
    return 'ended';
  }
}

const app = { controllers: [Noting] };

type How = 'send' | 'emit';

/** Calls, and gives what the caller saw, and the payloads that a handler got before a later call was answered. */
const calling = (how: How, pattern: unknown, ...payloads: unknown[]): See =>
  served(app, async (world) => {
    const seen: unknown[] = [];
    for (const payload of payloads) seen.push(await trace(call(world, how, pattern, payload)));
    await trace(world.client.send('beside', 'please'));
    return { seen, got: world.journal.notes };
  });

const call = ({ client }: World, how: How, pattern: unknown, payload: unknown): Observable<unknown> =>
  how === 'send' ? client.send(pattern, payload) : client.emit(pattern, payload);

const REFUSED = fails(`Error: ${new InvalidMessageException().message}`);

/** What is refused at the caller's. */
const refused = (says: string, how: How, pattern: unknown, ...payloads: unknown[]): Row =>
  equal(`\`${how}\` with ${says} is refused`, calling(how, pattern, ...payloads), {
    seen: payloads.map(() => REFUSED),
    got: [],
  });

/** Values that are falsy, and not nil; NaN is null once it has arrived. */
const FALSY = [false, 0, '', NaN];
const ARRIVED = [false, 0, '', null];

/** A stream is open while messages and events go nowhere. */
async function besideAStream(world: World): Promise<Trace> {
  const stream = trace(world.client.send('values', 'please'));
  await trace(world.client.send('value', 'before'));
  await trace(world.client.send('nobody', 'x'));
  await trace(world.client.emit('nobody', 'x'));
  await trace(world.client.send('value', 'behind'));
  await trace(world.client.send('end', 'please'));
  return await stream;
}

const nobody: Row[] = [
  exception(
    'a message that nobody handles',
    served({}, async (world) => [
      await trace(world.client.send('nobody', 'x')),
      // Behind it stands which client it was.
      world.log.troubles.map((line) => line.split(' (client')[0]),
    ]),
    {
      tcp: { says: 'fails with a string; the server logs nothing', sees: [fails(NOBODY), []] },
      uds: {
        says: 'fails with NO_HANDLER; the server logs one line',
        sees: [fails('RemoteError NO_HANDLER'), [`NO_HANDLER: ${NOBODY} (pattern "nobody")`]],
      },
      because: 'Our own refusals have codes, and who runs the server sees which pattern is missing.',
    },
  ),
  exception(
    'an event that nobody handles, with a pattern of 1,000 characters',
    served(app, async (world) => {
      await trace(world.client.emit(LONG, 'x'));
      await trace(world.client.send('beside', 'please'));
      return world.log.troubles;
    }),
    {
      tcp: { says: 'is logged with its whole pattern', sees: [NOBODY_FOR_EVENTS + LONG] },
      uds: {
        says: 'is logged with the first 100 characters of its pattern',
        sees: [`${NOBODY_FOR_EVENTS}"${LONG.slice(0, 100)}..."`],
      },
      because: 'What a peer chose must not flood a log.',
    },
  ),
  equal(
    'messages and events that nobody handles do not disturb an open stream',
    served({ controllers: [Streaming] }, besideAStream),
    completes('before', 'behind'),
  ),
  equal(
    'a message whose pattern has only an event handler: it is answered',
    served(app, async ({ client, journal }) => [await trace(client.send('event', 'x')), journal.notes]),
    [completes(), ['x']],
  ),
  equal(
    'an event whose pattern has only a message handler: the handler runs',
    calling('emit', 'message', 'x'),
    {
      seen: [completes(undefined)],
      got: ['x'],
    },
  ),
];

export const nothingThere: Scenario = {
  title: 'Missing handlers, patterns and payloads',
  rows: [
    ...nobody,
    refused('the pattern null', 'send', null, 'x'),
    refused('the pattern undefined', 'send', undefined, 'x'),
    refused('the pattern null', 'emit', null, 'x'),
    refused('the pattern undefined', 'emit', undefined, 'x'),
    refused('the payload null or undefined', 'send', 'message', null, undefined),
    refused('the payload null or undefined', 'emit', 'event', null, undefined),
    equal(
      '`send` with the payload false, 0, an empty string or NaN: it is sent',
      calling('send', 'message', ...FALSY),
      {
        seen: ARRIVED.map((value) => completes(value)),
        got: ARRIVED,
      },
    ),
    equal(
      '`emit` with the payload false, 0, an empty string or NaN: it is sent',
      calling('emit', 'event', ...FALSY),
      {
        seen: FALSY.map(() => completes(undefined)),
        got: ARRIVED,
      },
    ),
    equal('`send` with an empty string as the pattern: its handler is found', calling('send', '', 'x'), {
      seen: [completes('reached')],
      got: ['x'],
    }),
    equal('`send` with 0 as the pattern: its handler is found', calling('send', 0, 'x'), {
      seen: [completes('reached')],
      got: ['x'],
    }),
    equal('`emit` with an empty string as the pattern: its handler is found', calling('emit', '', 'x'), {
      seen: [completes(undefined)],
      got: ['x'],
    }),
    equal(
      "a null payload fails with Nest's InvalidMessageException",
      served(app, async ({ client }) => {
        let error: unknown;
        client.send('message', null).subscribe({ error: (told: unknown) => (error = told) });
        return error instanceof InvalidMessageException;
      }),
      true,
    ),
  ],
};
