import { beforeEach, describe, expect, it } from '@jest/globals';
import { Buffer } from 'node:buffer';
import { get } from 'node:http';
import { lastValueFrom } from 'rxjs';
import type { UdsDialect } from '../../src/index.js';
import { clientOf, serve, type Served, socketPath } from '../support/nest.js';
import { packetOf, TextPeer } from '../support/text-peer.js';
import { until } from '../support/wait.js';
import { show } from '../transport/parity/trace.js';
import { nestClientOf, type Seen, seenAnew, Shop } from './nest-app.js';
import { itWith, Program } from './programs.js';

let seen: Seen;

beforeEach(() => {
  seen = seenAnew();
});

const itNc = itWith('nc');
const MAX_FRAME_BYTES = 100_000;

interface Busy extends Served {
  /** Those who were there before have their answers, and may go on. */
  othersGoOn(): Promise<void>;
}

/** A server at which a client of each kind waits for an answer. */
async function servedBeside(): Promise<Busy> {
  const all = await serve([Shop], { maxFrameBytes: MAX_FRAME_BYTES });
  const [ours, nests] = [clientOf(all.path), nestClientOf(all.path)];
  const lines = await TextPeer.to(all.path);
  const answers = [ours, nests].map((client, index) => lastValueFrom(client.send('held', index)));
  // A test that fails before it looks at them is to fail by itself.
  for (const answer of answers) answer.catch(() => undefined);
  lines.sendLines({ id: 1, pattern: 'held', data: 2 });
  await until(() => seen.held === 3, 'the others wait');
  const othersGoOn = async (): Promise<void> => {
    seen.gate.open();
    expect(await Promise.all(answers)).toEqual([0, 1]);
    expect(await lines.linesCome(1)).toEqual([{ id: 1, response: 2 }]);
    lines.sendLines({ id: 2, pattern: 'echo', data: 'still' });
    expect(await lines.linesCome(2)).toContainEqual({ id: 2, response: 'still' });
    expect(await lastValueFrom(ours.send('echo', 'still'))).toBe('still');
    expect(await lastValueFrom(nests.send('echo', 'still'))).toBe('still');
  };
  return { ...all, othersGoOn };
}

/** One line of log for each trouble, which begins with its code; a connection's comes when it has closed. */
async function logTells({ log }: Served, ...codes: readonly string[]): Promise<void> {
  await until(() => log.troubles.length >= codes.length, `${codes.join(', ')} was logged`);
  const lines = codes.map((code) => expect.stringMatching(new RegExp(`^${code}: [^\\n]+$`)) as unknown);
  expect(log.troubles).toEqual(lines);
}

async function byNc(path: string, input: string | Uint8Array): Promise<string> {
  const nc = new Program('nc', ['-N', '-U', path]).write(input).endInput();
  expect([await nc.exit(), nc.stderr]).toEqual([0, '']);
  return nc.text;
}

const lastLine = (code: string, id = ''): RegExp =>
  new RegExp(`^\\{${id}"error":\\{"code":"${code}","message":"[^\\n]+"\\},"transport":true\\}\\n$`);
const lastPacket = (code: string, id = ''): RegExp =>
  new RegExp(`^\\d+#\\{"err":\\{"code":"${code}","message":".+"\\},"isDisposed":true${id}\\}$`);
const NOTHING = /^$/;

const BAD_UTF8 = Buffer.from([0xc3, 0x28]);
const between = (head: string, tail: string): Buffer =>
  Buffer.concat([Buffer.from(head), BAD_UTF8, Buffer.from(tail)]);

const EVENT = packetOf({ pattern: 'noted', data: 1 });

/** What is sent, the code, what comes back. */
const BAD: [says: string, sent: string | Uint8Array, code: string, back: RegExp][] = [
  ['a request of HTTP', 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n', 'UNKNOWN_DIALECT', NOTHING],
  ['a greeting of TLS', Buffer.from([0x16, 3, 1, 0, 5, 1, 0, 0, 1, 0]), 'UNKNOWN_DIALECT', NOTHING],
  ['half a line', '{"id":1,"pattern":"ec', 'FRAME_CUT', lastLine('FRAME_CUT')],
  ['a line that is text', '{"pattern":"noted"}\nhello\n', 'BAD_FRAME', lastLine('BAD_FRAME')],
  ['a line without its quotes', '{id:1}\n', 'BAD_PAYLOAD', lastLine('BAD_PAYLOAD')],
  ['a line in no UTF-8', between('{"id":1,"pattern":"', '"}\n'), 'BAD_PAYLOAD', lastLine('BAD_PAYLOAD')],
  [
    'a line whose bytes are no base64',
    '{"id":1,"pattern":"echo","dataBytes":"%%%"}\n',
    'BAD_PAYLOAD',
    lastLine('BAD_PAYLOAD', '"id":1,'),
  ],
  [
    'a line with metadata that is none',
    '{"id":1,"pattern":"echo","metadata":{"a":1}}\n',
    'BAD_METADATA',
    lastLine('BAD_METADATA', '"id":1,'),
  ],
  [
    'a line that is too long',
    `{"id":1,"pattern":"echo","data":"${'x'.repeat(MAX_FRAME_BYTES)}"}\n`,
    'FRAME_TOO_LARGE',
    lastLine('FRAME_TOO_LARGE'),
  ],
  [
    'a line without an end',
    `{${' '.repeat(3 * MAX_FRAME_BYTES)}`,
    'FRAME_TOO_LARGE',
    lastLine('FRAME_TOO_LARGE'),
  ],
  ['a length with junk', '7junk#"hello"', 'BAD_FRAME', lastPacket('BAD_FRAME')],
  ['digits without an end', '1'.repeat(MAX_FRAME_BYTES), 'BAD_FRAME', lastPacket('BAD_FRAME')],
  ['a length that is too long', '9999999999#', 'FRAME_TOO_LARGE', lastPacket('FRAME_TOO_LARGE')],
  ['half a packet', '44#{"pattern"', 'FRAME_CUT', lastPacket('FRAME_CUT')],
  ['half a length', '44', 'FRAME_CUT', lastPacket('FRAME_CUT')],
  [
    'a packet in no UTF-8',
    between('29#{"pattern":"echo","data":"', '"}'),
    'BAD_FRAME',
    lastPacket('BAD_FRAME'),
  ],
  ['a packet that is no JSON', '5#{a:1}', 'BAD_FRAME', lastPacket('BAD_FRAME')],
  ['a length that ends in a character', '3#"😀"', 'BAD_FRAME', lastPacket('BAD_FRAME')],
  ['packets behind lines', `{"pattern":"noted"}\n${EVENT}\n`, 'BAD_FRAME', lastLine('BAD_FRAME')],
  ['text behind lines, without an end', '{"pattern":"noted"}\nhello', 'BAD_FRAME', lastLine('BAD_FRAME')],
  ['lines behind packets', `${EVENT}{"id":1}\n`, 'BAD_FRAME', lastPacket('BAD_FRAME')],
  ['a binary hello that is none', Buffer.from([0, 0, 0, 4, 1, 2, 3, 4]), 'FRAME_CUT', NOTHING],
];

describe('nc is told in its own form, in one line of log, and nobody else is disturbed, where it sends', () => {
  itNc.each(BAD)('%s', async (_says, sent, code, back) => {
    const served = await servedBeside();
    expect(await byNc(served.path, sent)).toMatch(back);
    await logTells(served, code);
    await served.othersGoOn();
    await logTells(served, code);
  });

  itNc('a bad line between good ones, which are answered all the same', async () => {
    const served = await servedBeside();
    const good = (id: number): string => `{"id":${id},"pattern":"echo","data":"ok"}\n`;
    const answers = (await byNc(served.path, `${good(1)}{"id":2}\n{oops}\n${good(3)}`)).trimEnd().split('\n');
    expect(answers.sort()).toEqual([
      expect.stringMatching(/^\{"error":\{"code":"BAD_PAYLOAD"/),
      '{"id":1,"response":"ok"}',
      expect.stringMatching(/^\{"id":2,"error":\{"code":"BAD_PAYLOAD"/),
      '{"id":3,"response":"ok"}',
    ]);
    await logTells(served, 'BAD_PAYLOAD', 'BAD_PAYLOAD');
    await served.othersGoOn();
  });
});

describe("a client of Node's http", () => {
  it('is cut, in one line of log, and nobody else is disturbed', async () => {
    const served = await servedBeside();
    const failure: unknown = await new Promise((resolve) => {
      get({ socketPath: served.path, path: '/', agent: false }, resolve).on('error', resolve);
    });
    expect(failure).toMatchObject({ code: 'ECONNRESET' });
    await logTells(served, 'UNKNOWN_DIALECT');
    await served.othersGoOn();
  });
});

describe('a dialect that an endpoint does not serve is told so in its own form:', () => {
  const serving = (...dialects: UdsDialect[]): Promise<Served> =>
    serve([Shop], { endpoints: [{ path: socketPath(), dialects }] });

  it('UdsClient fails with UNKNOWN_DIALECT', async () => {
    const served = await serving('ndjson', 'nest-json');
    const { path } = served;
    const failure = await lastValueFrom(clientOf(path).send('echo', 1)).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      code: 'UNKNOWN_DIALECT',
      message: expect.stringContaining('dialect binary'),
    });
    await logTells(served, 'UNKNOWN_DIALECT');
    expect(await lastValueFrom(nestClientOf(path).send('echo', 'others'))).toBe('others');
  });

  itNc('nc reads a line', async () => {
    const served = await serving('binary', 'nest-json');
    const { path } = served;
    expect(await byNc(path, '{"id":1,"pattern":"echo"}\n')).toMatch(lastLine('UNKNOWN_DIALECT'));
    await logTells(served, 'UNKNOWN_DIALECT');
    expect(await lastValueFrom(clientOf(path).send('echo', 'others'))).toBe('others');
  });

  it('ClientTCP is sent a packet, and its call fails', async () => {
    const served = await serving('binary', 'ndjson');
    const { path } = served;
    const failure = lastValueFrom(nestClientOf(path).send('echo', 1)).catch(show);
    expect(await failure).toBe('Error: Connection closed');
    const peer = await TextPeer.to(path);
    await peer.send(packetOf({ pattern: 'echo', data: 1, id: 'x' })).ended();
    expect(peer.text).toMatch(lastPacket('UNKNOWN_DIALECT'));
    await logTells(served, 'UNKNOWN_DIALECT', 'UNKNOWN_DIALECT');
    expect(await lastValueFrom(clientOf(path).send('echo', 'others'))).toBe('others');
  });
});
