import { beforeEach, describe, expect, it } from '@jest/globals';
import { serve } from '../support/nest.js';
import { type Json, packetOf, TextPeer } from '../support/text-peer.js';
import { until } from '../support/wait.js';
import { seenAnew, serveByNest, Shop } from './nest-app.js';

beforeEach(() => {
  seenAnew();
});

interface Got {
  /** What came, before the answer to a call that was sent behind it. */
  readonly text: string;
  /** Whether the connection was ended in place of that answer. */
  readonly isEnded: boolean;
}

/** Sends packets, or bytes that are none, and looks at what comes back. */
async function speak(path: string, sent: readonly (Json | string)[], answers: number): Promise<Got> {
  const peer = await TextPeer.to(path);
  for (const each of sent) peer.send(typeof each === 'string' ? each : packetOf(each));
  await until(() => peer.packets.length >= answers || peer.hasEnded, `${answers} packets came`);
  const before = peer.bytes.length;
  if (!peer.hasEnded) peer.sendPackets({ pattern: 'echo', data: 'last', id: 'last' });
  await until(() => peer.packets.length > answers || peer.hasEnded, 'the last call was answered');
  return { text: peer.bytes.subarray(0, before).toString(), isEnded: peer.hasEnded };
}

/** The same bytes to a server of each kind. */
async function both(sent: readonly (Json | string)[], answers: number): Promise<{ ours: Got; nests: Got }> {
  const [{ path: ours }, { path: nests }] = [await serve([Shop]), await serveByNest()];
  return { ours: await speak(ours, sent, answers), nests: await speak(nests, sent, answers) };
}

const call = (pattern: unknown, data?: unknown, more: object = {}): Json => ({
  pattern,
  data,
  id: 'f00d',
  ...more,
});

const counted = (text: string): string => `${text.length}#${text}`;

/** What is sent, and how many packets come back. */
const SAME: [says: string, sent: (Json | string)[], answers: number][] = [
  ['a string', [call('echo', 'hello')], 1],
  ['an empty string', [call('echo', '')], 1],
  ['null', [call('echo', null)], 1],
  ['no data', [call('echo')], 1],
  ['false and zero', [call('echo', false), call('echo', 0, { id: 'beef' })], 2],
  ['numbers at the edges', [call('echo', [1e21, -0, 1e-7, 9007199254740991, 0.1])], 1],
  ['characters of one to four bytes', [call('echo', 'aé€😀\u{10FFFF}')], 1],
  ['what JSON must escape', [call('echo', '"\\\n\u0000\u2028\ud83d')], 1],
  ['keys of every kind', [call('echo', { b: 1, a: 2, '': 3, '1': 4, id: 5, '😀': { '#': '#' } })], 1],
  ['an object that is deep', [call('echo', { a: { b: { c: { d: [[[[]]]] } } } })], 1],
  ['a key __proto__', [counted('{"pattern":"echo","data":{"__proto__":{"a":1}},"id":"x"}')], 1],
  ['a key twice', [counted('{"pattern":"echo","data":1,"data":2,"id":"x"}')], 1],
  ['space between the tokens', [counted('\n{ "pattern" : "echo",\r\n\t"data":[ 1 ,2 ],"id":"x"}\n')], 1],
  ['a length with leading zeros', [`000${counted('{"pattern":"echo","data":1,"id":"x"}')}`], 1],
  ['keys that nobody knows', [call('echo', 1, { isDisposed: true, response: 2, err: 3 })], 1],
  ['an id that is a number', [call('echo', 1, { id: 7 })], 1],
  ['an id that is null', [call('echo', 1, { id: null })], 1],
  ['an id that is empty', [call('echo', 1, { id: '' })], 1],
  ['an id that is an object', [call('echo', 1, { id: { a: [1] } })], 1],
  ['a pattern that is an object', [call({ cmd: 'sum' }, [1, 2])], 1],
  ['a pattern that is the text of one', [call('{"cmd":"sum"}', [1, 2])], 1],
  ['metadata', [call('metadata', 1, { metadata: { trace: 'é' } })], 1],
  ['metadata without a key', [call('metadata', 1, { metadata: {} })], 1],
  ['an answer of null', [call('give-null')], 1],
  ['an answer of undefined', [call('give-undefined')], 1],
  ['an answer of bytes', [call('bytes')], 1],
  ['an Observable without a value', [call('empty')], 1],
  ['an Observable of one value', [call('observable', [1])], 1],
  ['an Observable of several values', [call('observable', [1, null, 'c'])], 3],
  ['an Observable of values in turns of their own', [call('apart', [1, 2])], 2],
  ['an Observable that fails after a value', [call('broken-off')], 2],
  ['an RpcException with a text', [call('rpc-error', 'no')], 1],
  ['an RpcException with an object', [call('rpc-error', { left: 0, why: ['€'] })], 1],
  ['an HttpException', [call('http-error')], 1],
  ['an Error', [call('error')], 1],
  ['no handler', [call('missing')], 1],
  ['no handler, for an id that is a number', [call({ a: 1 }, 1, { id: 1 })], 1],
  ['no pattern', [{ data: 1, id: 'x' }], 1],
  ['an event', [{ pattern: 'noted', data: 1 }], 0],
  ['an event that nobody takes', [{ pattern: 'missing', data: 1 }], 0],
  ['a packet that is null, a number, an array', ['4#null', '1#5', '2#[]'], 0],
];

describe("a UdsServer gives the very bytes back that Nest's own ServerTCP gives, where it is sent", () => {
  it.each(SAME)('%s', async (_says, sent, answers) => {
    const { ours, nests } = await both(sent, answers);
    expect(ours).toEqual(nests);
    expect(nests.isEnded).toBe(false);
  });
});

/** The one packet that tells why a call or the connection ended. */
const errorPacket = (code: string, id = ''): RegExp =>
  new RegExp(`^\\d+#\\{"err":\\{"code":"${code}","message":".+"\\},"isDisposed":true${id}\\}$`);

interface Difference {
  readonly sent: (Json | string)[];
  readonly ours: { readonly answers: number; readonly text: RegExp; readonly isEnded: boolean };
  readonly nests: { readonly answers: number; readonly text: RegExp; readonly isEnded: boolean };
}

/** What docs/PROTOCOL.md and docs/parity.md name. */
const OTHER: [says: string, difference: Difference][] = [
  [
    'streams a generator, where Nest writes the object as JSON',
    {
      sent: [call('generator', 2)],
      ours: {
        answers: 3,
        text: /^26#\{"response":0,"id":"f00d"\}26#\{"response":1,"id":"f00d"\}31#\{"isDisposed":true,"id":"f00d"\}$/,
        isEnded: false,
      },
      nests: { answers: 1, text: /^\d+#\{"response":\{\},"isDisposed":true,"id":"f00d"\}$/, isEnded: false },
    },
  ],
  [
    'refuses metadata that is no object of strings, which Nest hands on',
    {
      sent: [call('metadata', 1, { metadata: { a: 1 } })],
      ours: { answers: 1, text: errorPacket('BAD_METADATA', ',"id":"f00d"'), isEnded: false },
      nests: { answers: 1, text: /"response":\{"a":1\}/, isEnded: false },
    },
  ],
  [
    'ends the connection at a length that is no number, of which Nest reads the beginning',
    {
      sent: ['39junk#{"pattern":"echo","data":1,"id":"f00d"}'],
      ours: { answers: 1, text: errorPacket('BAD_FRAME'), isEnded: true },
      nests: { answers: 1, text: /"response":1/, isEnded: false },
    },
  ],
  [
    'ends the connection at an id that is in use, where Nest runs both calls',
    {
      sent: [call('held', 1), call('held', 2)],
      ours: { answers: 1, text: errorPacket('ID_IN_USE'), isEnded: true },
      nests: { answers: 0, text: /^$/, isEnded: false },
    },
  ],
  [
    'says why it ends the connection at a packet that is no JSON, where Nest says nothing',
    {
      sent: ['3#{a}'],
      ours: { answers: 1, text: errorPacket('BAD_FRAME'), isEnded: true },
      nests: { answers: 1, text: /^$/, isEnded: true },
    },
  ],
];

describe("a UdsServer, other than Nest's own ServerTCP,", () => {
  it.each(OTHER)('%s', async (_says, { sent, ours, nests }) => {
    const [{ path: ourPath }, { path: nestsPath }] = [await serve([Shop]), await serveByNest()];
    for (const [path, { answers, text, isEnded }] of [
      [ourPath, ours],
      [nestsPath, nests],
    ] as const) {
      expect(await speak(path, sent, answers)).toEqual({ text: expect.stringMatching(text), isEnded });
    }
  });
});
