import { lastValueFrom } from 'rxjs';
import { between, type Ends, notesDeserialized, notesSerialized } from '../codecs.js';
import { equal, exception, type Row, type Scenario } from '../row.js';
import { fails, trace } from '../trace.js';

const ID = 'string';

const clientSerializer: Ends = { client: (packets) => ({ serializer: notesSerialized(packets) }) };
const clientDeserializer: Ends = { client: (packets) => ({ deserializer: notesDeserialized(packets) }) };
const serverSerializer: Ends = { server: (packets) => ({ serializer: notesSerialized(packets) }) };
const serverDeserializer: Ends = { server: (packets) => ({ deserializer: notesDeserialized(packets) }) };
const all: Ends = {
  client: (packets) => ({ serializer: notesSerialized(packets), deserializer: notesDeserialized(packets) }),
  server: (packets) => ({ serializer: notesSerialized(packets), deserializer: notesDeserialized(packets) }),
};

/** The packets that a codec sees of a message. */
const seenOf = (says: string, ends: Ends, pattern: unknown, ...packets: object[]): Row =>
  equal(
    says,
    between(ends, async ({ client }, seen) => {
      await trace(client.send(pattern, 1));
      return seen.notes;
    }),
    packets,
  );

/** The same of an event. */
const seenOfEvent = (says: string, ends: Ends, pattern: unknown, packet: object): Row =>
  equal(
    says,
    between(ends, async ({ client, journal }, seen) => {
      await lastValueFrom(client.emit(pattern, 1));
      await journal.whenNoted(1);
      return seen.notes;
    }),
    [packet],
  );

const NO_HANDLER = 'There is no matching message handler defined in the remote service.';

export const serializers: Scenario = {
  title: 'What serializers and deserializers see',
  rows: [
    seenOf(
      'what the serializer of a client sees of a message',
      clientSerializer,
      { cmd: 'echo' },
      { pattern: { cmd: 'echo' }, data: 1, id: ID },
    ),
    seenOfEvent(
      'what the serializer of a client sees of an event: no id',
      clientSerializer,
      { cmd: 'told' },
      { pattern: '{"cmd":"told"}', data: 1 },
    ),
    seenOf('what the deserializer of a server sees of a message', serverDeserializer, 'echo', {
      pattern: 'echo',
      data: 1,
      id: ID,
    }),
    seenOf(
      'what the deserializer of a server sees of an object pattern',
      serverDeserializer,
      {
        cmd: 'echo',
      },
      { pattern: { cmd: 'echo' }, data: 1, id: ID },
    ),
    seenOfEvent('what the deserializer of a server sees of an event', serverDeserializer, 'told', {
      pattern: 'told',
      data: 1,
    }),
    equal(
      'what serializer and deserializer see of metadata',
      between(all, async ({ client }, seen) => {
        client.setOnDispatchHook((packet) => (packet.metadata = { trace: 'a1' }));
        await trace(client.send('echo', 1));
        return seen.notes.slice(0, 2);
      }),
      [
        { pattern: 'echo', data: 1, metadata: { trace: 'a1' }, id: ID },
        { pattern: 'echo', data: 1, metadata: { trace: 'a1' }, id: ID },
      ],
    ),
    seenOf('what the serializer of a server sees of a value', serverSerializer, 'echo', {
      response: 1,
      isDisposed: true,
      id: ID,
    }),
    seenOf(
      'what the serializer of a server sees of an Observable',
      serverSerializer,
      'three',
      { response: 1, id: ID },
      { response: 2, id: ID },
      { response: 3, isDisposed: true, id: ID },
    ),
    seenOf(
      'what the serializer of a server sees of an Observable without values',
      serverSerializer,
      'empty',
      {
        isDisposed: true,
        id: ID,
      },
    ),
    seenOf(
      'what the serializer of a server sees of a handler that returns nothing',
      serverSerializer,
      'nothing',
      {
        response: undefined,
        isDisposed: true,
        id: ID,
      },
    ),
    seenOf('what the serializer of a server sees of an error', serverSerializer, 'fails', {
      err: { status: 'error', message: 'no stock' },
      isDisposed: true,
      id: ID,
    }),
    seenOf('what the deserializer of a client sees of a value', clientDeserializer, 'echo', {
      response: 1,
      isDisposed: true,
      id: ID,
    }),
    seenOf(
      'what the deserializer of a client sees of an answer without values',
      clientDeserializer,
      'empty',
      {
        isDisposed: true,
        id: ID,
      },
    ),
    seenOf('what the deserializer of a client sees of an error', clientDeserializer, 'fails', {
      err: { status: 'error', message: 'no stock' },
      isDisposed: true,
      id: ID,
    }),
    exception(
      'what the serializer of a server sees of a message that nobody handles',
      between(serverSerializer, async ({ client }, seen) => [
        await trace(client.send('nobody', 1)),
        seen.notes,
      ]),
      {
        tcp: {
          says: 'is a packet with an error',
          sees: [fails(NO_HANDLER), [{ id: ID, status: 'error', err: NO_HANDLER }]],
        },
        uds: {
          says: 'is nothing: the caller fails with NO_HANDLER',
          sees: [fails('RemoteError NO_HANDLER'), []],
        },
        because: 'Our own refusals have codes, which no serializer of an application must change.',
      },
    ),
    exception(
      'what the deserializer of a server sees of a number as the pattern',
      between(serverDeserializer, async ({ client }, seen) => {
        await trace(client.send(7, 1));
        return seen.notes;
      }),
      {
        tcp: { says: 'is a number', sees: [{ pattern: 7, data: 1, id: ID }] },
        uds: { says: 'is a string', sees: [{ pattern: '7', data: 1, id: ID }] },
        because: 'A pattern is a string on the wire: 7 and "7" name one handler, over either transport.',
      },
    ),
  ],
};
