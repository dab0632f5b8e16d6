import { lastValueFrom } from 'rxjs';
import { turns } from '../../../support/wait.js';
import {
  asText,
  between,
  brokenBy,
  deserializeBy,
  type Ends,
  later,
  overtaken,
  rejectedBy,
  serializeBy,
} from '../codecs.js';
import { equal, exception, type Row, type Scenario } from '../row.js';
import { completes, fails, trace, traceBeside, waits } from '../trace.js';
import type { World } from '../world.js';

/** What comes back of a message between codecs. */
const answered = (says: string, ends: Ends, pattern: unknown, ...values: unknown[]): Row =>
  equal(
    says,
    between(ends, ({ client }) => trace(client.send(pattern, 1))),
    completes(...values),
  );

const overtakenRequest = overtaken(
  ({ data }) => data === 1,
  ({ data }) => data === 2,
);
const overtakenAnswer = overtaken(
  ({ response }) => response === 1,
  ({ response }) => response === 3,
);

const sendBad = (world: World): Promise<unknown> =>
  traceBeside(world.client.send('echo', 'bad'), world, 'echo');

export const codecs: Scenario = {
  title: 'Serializers and deserializers at work',
  rows: [
    answered(
      'serializers that make a string of each packet',
      { client: () => asText, server: () => asText },
      'three',
      1,
      2,
      3,
    ),
    equal(
      'serializers that make a string of each packet, for errors and events',
      between({ client: () => asText, server: () => asText }, async ({ client, journal }) => {
        await lastValueFrom(client.emit({ cmd: 'told' }, { a: 1 }));
        return [await trace(client.send('fails', 1)), await journal.whenNoted(1)];
      }),
      [fails({ status: 'error', message: 'no stock' }), [{ a: 1 }]],
    ),
    answered(
      'a serializer of a client that changes pattern and data',
      { client: () => ({ serializer: serializeBy((packet) => ({ ...packet, pattern: 'echo', data: 2 })) }) },
      'other',
      2,
    ),
    answered(
      'a deserializer of a server that changes pattern and data',
      {
        server: () => ({
          deserializer: deserializeBy((packet) => ({ ...packet, pattern: 'echo', data: 2 })),
        }),
      },
      'other',
      2,
    ),
    answered(
      'a deserializer of a client that changes the answer',
      { client: () => ({ deserializer: deserializeBy((packet) => ({ ...packet, response: 'changed' })) }) },
      'echo',
      'changed',
    ),
    equal(
      'a deserializer of a client that makes an error of an answer',
      between(
        { client: () => ({ deserializer: deserializeBy((packet) => ({ ...packet, err: 'made' })) }) },
        ({ client }) => trace(client.send('echo', 1)),
      ),
      fails('made'),
    ),
    answered('an async deserializer of a server', { server: () => ({ deserializer: later }) }, 'echo', 1),
    answered(
      'an async deserializer of a client',
      { client: () => ({ deserializer: later }) },
      'three',
      1,
      2,
      3,
    ),
    equal(
      'a serializer of a client that throws',
      between({ client: () => ({ serializer: serializeBy(brokenBy) }) }, async ({ client }) => [
        await trace(client.send('echo', 'bad')),
        await trace(client.emit<unknown>('told', 'bad')),
        await trace(client.send('echo', 'good')),
      ]),
      [fails('Error: mine'), fails('Error: mine'), completes('good')],
    ),
    exception(
      'a deserializer of a server that takes longer with the first message than with the second',
      between(
        { server: () => ({ deserializer: deserializeBy(overtakenRequest) }) },
        async ({ client, journal }) => {
          await Promise.all([1, 2].map((data) => lastValueFrom(client.send('echo', data))));
          return journal.notes;
        },
      ),
      {
        tcp: { says: 'lets the second one overtake', sees: [2, 1] },
        uds: { says: 'keeps the order', sees: [1, 2] },
        because: 'Handlers get the messages of a connection in the order in which they were sent.',
      },
    ),
    exception(
      'a deserializer of a client that takes longer with the first value than with the last',
      between({ client: () => ({ deserializer: deserializeBy(overtakenAnswer) }) }, async ({ client }) => {
        const answer = await trace(client.send('three', 1));
        await turns();
        return answer;
      }),
      {
        tcp: { says: 'loses what the end overtakes', sees: completes(2, 3) },
        uds: { says: 'keeps the order', sees: completes(1, 2, 3) },
        because: 'No value of an answer is lost, however long it takes to read.',
      },
    ),
    exception(
      'a serializer of a server that throws',
      between({ server: () => ({ serializer: serializeBy(brokenBy) }) }, sendBad),
      {
        tcp: { says: 'waits for ever', sees: waits() },
        uds: {
          says: 'fails only its own call, with UNSERIALIZABLE_ANSWER',
          sees: fails('RemoteError UNSERIALIZABLE_ANSWER'),
        },
        because: 'A caller that nobody will answer is told so.',
      },
    ),
    ...(['throws', 'rejects'] as const).map((does) =>
      exception(
        `a deserializer of a server that ${does}`,
        between(
          { server: () => ({ deserializer: deserializeBy(does === 'throws' ? brokenBy : rejectedBy) }) },
          sendBad,
        ),
        {
          tcp: { says: 'waits for ever', sees: waits() },
          uds: { says: 'fails only its own call, with BAD_PAYLOAD', sees: fails('RemoteError BAD_PAYLOAD') },
          because: 'A caller that nobody will answer is told so.',
        },
      ),
    ),
  ],
};
