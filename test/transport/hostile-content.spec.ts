import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { Ctx, MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import { lastValueFrom } from 'rxjs';
import { UdsContext } from '../../src/index.js';
import { clientOf, serve } from '../support/nest.js';
import { rawCall, type RawFrame } from '../support/raw-frames.js';
import { RawPeer } from '../support/raw-peer.js';
import { TextPeer } from '../support/text-peer.js';
import { until } from '../support/wait.js';

const ODD_KEYS =
  '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}},"prototype":1}';

@Controller()
class Answers {
  @MessagePattern('echo')
  echo(@Payload() data: unknown): unknown {
    return data;
  }

  @MessagePattern('take')
  take(@Payload() data: object): number {
    return Object.keys(data).length;
  }

  @MessagePattern('metadata')
  metadata(@Ctx() context: UdsContext): unknown {
    return Object.entries(context.getMetadata() ?? {});
  }

  @MessagePattern({ cmd: 'sum', n: 1 })
  sum(): number {
    return 42;
  }

  @MessagePattern('fail oddly')
  failOddly(): never {
    throw new RpcException(JSON.parse(ODD_KEYS) as object);
  }

  @MessagePattern('stream oddly')
  async *streamOddly(): AsyncGenerator<unknown, void, undefined> {
    yield JSON.parse(ODD_KEYS);
    throw new RpcException(JSON.parse(ODD_KEYS) as object);
  }
}

/** A call as JSON texts, so that every key and every spelling travels as it is written here. */
interface Hostile {
  readonly pattern: string;
  readonly data?: string;
  readonly metadata?: string;
}

/** What became of it: the JSON text of its answer or of its handler's error, or the code of the transport. */
type Outcome = string;

const BEHIND = 'behind it';

/** The call, and a sound one behind it on the same connection, which must be answered. */
type Ask = (path: string, hostile: Hostile) => Promise<Outcome>;

const membersOf = ({ pattern, data = '1', metadata }: Hostile): string =>
  `"pattern":${pattern},"data":${data}${metadata === undefined ? '' : `,"metadata":${metadata}`}`;

const askNdjson: Ask = async (path, hostile) => {
  const peer = await TextPeer.to(path);
  peer.send(`{"id":"h",${membersOf(hostile)}}\n`).sendLines({ id: 'b', pattern: 'echo', data: BEHIND });
  const lines = await peer.linesCome(2);
  expect(lines).toContainEqual({ id: 'b', response: BEHIND });
  const line = lines.find(({ id }) => id === 'h')!;
  if (line['transport'] === true) return (line['error'] as { code: string }).code;
  return JSON.stringify(line['response'] ?? line['error']);
};

const askNestJson: Ask = async (path, hostile) => {
  const peer = await TextPeer.to(path);
  const text = `{"id":"h",${membersOf(hostile)}}`;
  peer.send(`${text.length}#${text}`).sendPackets({ id: 'b', pattern: 'echo', data: BEHIND });
  const packets = await peer.packetsCome(2);
  expect(packets).toContainEqual({ id: 'b', response: BEHIND, isDisposed: true });
  const { err, response } = packets.find(({ id }) => id === 'h')!;
  if (typeof err === 'string') return /no matching message handler/.test(err) ? 'NO_HANDLER' : err;
  const code = (err as { code?: string } | undefined)?.code;
  return code ?? JSON.stringify(err ?? response);
};

/** @param frame of the call with the id 1. */
async function askFrame(path: string, frame: Uint8Array, behind: Uint8Array): Promise<Outcome> {
  const peer = await RawPeer.greeted(path);
  peer.send(frame, behind);
  expect((await peer.frame(5, 2)).body.toString()).toContain(BEHIND);
  const find = (): RawFrame | undefined =>
    peer.frames.find(({ id, type }) => id === 1 && [5, 8].includes(type));
  await until(() => find() !== undefined, 'the call was answered');
  const answer = find()!;
  return answer.type === 8 && (answer.flags & 8) !== 0 ? await peer.refusal(1) : answer.body.toString();
}

const askBinary: Ask = async (path, { pattern, data = '1', metadata = '' }) => {
  const text = pattern.startsWith('"') ? (JSON.parse(pattern) as string) : pattern;
  return await askFrame(
    path,
    rawCall({ id: 1, pattern: text, kind: 1, payload: data, metadata }),
    rawCall({ id: 2, pattern: 'echo', payload: BEHIND }),
  );
};

/** JSON, and a packet of the application's own serializer. */
const ENVELOPED_JSON = 1 + 4;

const askEnveloped: Ask = async (path, hostile) => {
  const behind = JSON.stringify({ id: '2', pattern: 'echo', data: BEHIND });
  const text = await askFrame(
    path,
    rawCall({ id: 1, pattern: '', kind: ENVELOPED_JSON, payload: `{"id":"1",${membersOf(hostile)}}` }),
    rawCall({ id: 2, pattern: '', kind: ENVELOPED_JSON, payload: behind }),
  );
  if (!text.startsWith('{')) return text;
  const { err, response } = JSON.parse(text) as { err?: unknown; response?: unknown };
  return JSON.stringify(err ?? response);
};

/** Packets go in and out as they are. */
const codecs = {
  serializer: { serialize: (packet: object) => packet },
  deserializer: { deserialize: (packet: object) => packet as { pattern: string; data: unknown } },
};

const ALL: [string, Ask, object][] = [
  ['binary', askBinary, {}],
  ['ndjson', askNdjson, {}],
  ['nest-json', askNestJson, {}],
  ['binary, in packets of a serializer', askEnveloped, codecs],
  ['nest-json, in packets of a serializer', askNestJson, codecs],
];

const BRACKETS = 100_000;
const DEEP = '['.repeat(BRACKETS) + ']'.repeat(BRACKETS);
const DEEP_OBJECT = '{"a":'.repeat(BRACKETS) + '1' + '}'.repeat(BRACKETS);
/** A million where JSON is read once; text dialects read, and write, more of it. */
const manyOf = (name: string): number => (name === 'binary' ? 1_000_000 : 200_000);
const manyKeys = (value: string, length: number): string =>
  `{${Array.from({ length }, (_, n) => `"${n.toString(36)}":${value}`).join(',')}}`;

let ownKeys: PropertyKey[] = [];
beforeEach(() => {
  ownKeys = Reflect.ownKeys(Object.prototype);
});
afterEach(() => {
  expect(Reflect.ownKeys(Object.prototype)).toEqual(ownKeys);
  expect((() => undefined) as { polluted?: unknown }).not.toHaveProperty('polluted');
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
});

describe.each(ALL)('in %s', (name, ask, codec) => {
  const isText = name.includes('json');
  const isPacket = name.includes('serializer');

  /** Asks, and sees that others are served behind that. */
  async function outcomeOf(hostile: Hostile): Promise<Outcome> {
    const { path } = await serve([Answers], codec);
    const outcome = await ask(path, hostile);
    expect(await lastValueFrom(clientOf(path).send('echo', 'others'))).toBe('others');
    return outcome;
  }

  it('keys named __proto__, constructor and prototype come and go as any other', async () => {
    expect(await outcomeOf({ pattern: '"echo"', data: ODD_KEYS })).toBe(ODD_KEYS);
    expect(await outcomeOf({ pattern: '"fail oddly"' })).toBe(ODD_KEYS);
    const metadata = '{"__proto__":"a","constructor":"b","prototype":"c"}';
    const entries = '[["__proto__","a"],["constructor","b"],["prototype","c"]]';
    expect(await outcomeOf({ pattern: '"metadata"', metadata })).toBe(entries);
  });

  it.each([
    '{"__proto__":{"cmd":"sum","n":1}}',
    '{"cmd":"sum","n":1,"__proto__":{}}',
    '{"cmd":"sum","constructor":{"n":1}}',
    '{"cmd":"sum","__proto__":{"n":1}}',
  ])('such keys in a pattern make it another one: %s', async (pattern) => {
    expect(await outcomeOf({ pattern })).toBe('NO_HANDLER');
  });

  it.each([
    'toString',
    '__proto__',
    'constructor',
    'hasOwnProperty',
    'valueOf',
    'prototype',
    'size',
    'null',
    '{}',
    '[]',
  ])('a pattern that is called %s has no handler', async (pattern) => {
    expect(await outcomeOf({ pattern: JSON.stringify(pattern) })).toBe('NO_HANDLER');
  });

  it.each([
    ['arrays', DEEP],
    ['objects', DEEP_OBJECT],
  ])('a payload of 100,000 %s in one another is given to its handler', async (_what, data) => {
    expect(await outcomeOf({ pattern: '"take"', data })).toBe('1');
  });

  it.each([
    ['arrays', DEEP],
    ['objects', DEEP_OBJECT],
  ])('an answer of 100,000 %s in one another ends its call alone', async (_what, data) => {
    expect(await outcomeOf({ pattern: '"echo"', data })).toBe('UNSERIALIZABLE_ANSWER');
  });

  it('a pattern of 100,000 arrays in one another ends its call alone', async () => {
    // Of binary the longest one that fits.
    const pattern = isText || isPacket ? DEEP : DEEP.slice(BRACKETS - 32_000, BRACKETS + 32_000);
    const outcome = await outcomeOf({ pattern });
    expect(outcome).toBe(isText ? 'BAD_PAYLOAD' : 'NO_HANDLER');
  });

  it('a payload of very many keys is given to its handler', async () => {
    expect(await outcomeOf({ pattern: '"take"', data: manyKeys('0', manyOf(name)) })).toBe(
      String(manyOf(name)),
    );
  });

  if (isText && !isPacket) {
    it('a pattern or metadata of 200,000 keys ends its call alone', async () => {
      expect(await outcomeOf({ pattern: manyKeys('0', 200_000) })).toBe('NO_HANDLER');
      const metadata = manyKeys('"x"', 200_000);
      expect(await outcomeOf({ pattern: '"echo"', metadata })).toBe('METADATA_TOO_LARGE');
    });
  }

  it('a pattern finds its handler however it is spelled, thousands of spellings later too', async () => {
    const { path, server } = await serve([Answers], codec);
    const spellings = ['{"cmd":"sum","n":1}', '{"n":1,"cmd":"sum"}', ' { "cmd" : "sum", "n" : 1.0 } ']
      .concat('{"n":1e0,"cm\\u0064":"s\\u0075m"}', '{"cmd":"sum","n":10e-1}')
      .map((text) => JSON.stringify(text));
    for (const pattern of spellings) expect(await ask(path, { pattern })).toBe('42');
    for (let blanks = 1; blanks <= 5_000; blanks += 1) {
      const found = server.getHandlerByPattern(`{"cmd":${' '.repeat(blanks)}"sum","n":1}`);
      expect(found).not.toBeNull();
    }
    for (const pattern of spellings) expect(await ask(path, { pattern })).toBe('42');
  });
});

it('a line of ndjson and a packet of nest-json take nothing from a key __proto__', async () => {
  const { path } = await serve([Answers]);
  const lines = await TextPeer.to(path);
  lines
    .send('{"id":"h","__proto__":{"pattern":"echo","data":1}}\n')
    .sendLines({ id: 'b', pattern: 'echo', data: 1 });
  expect(await lines.linesCome(2)).toContainEqual(
    expect.objectContaining({ id: 'h', error: expect.objectContaining({ code: 'BAD_PAYLOAD' }) }),
  );
  const packets = await TextPeer.to(path);
  const text = '{"id":"h","__proto__":{"pattern":"echo","data":1}}';
  packets.send(`${text.length}#${text}`).sendPackets({ id: 'b', pattern: 'echo', data: 1 });
  expect(await packets.packetsCome(2)).toContainEqual(
    expect.objectContaining({ id: 'h', err: expect.stringMatching(/no matching message handler/) }),
  );
});

it('a stream and its error have such keys as any other', async () => {
  const { path } = await serve([Answers]);
  const peer = await TextPeer.to(path);
  peer.sendLines({ id: 1, pattern: 'stream oddly' });
  expect((await peer.linesCome(2)).map((line) => JSON.stringify(line['next'] ?? line['error']))).toEqual([
    ODD_KEYS,
    ODD_KEYS,
  ]);
});
