import { describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { lastValueFrom } from 'rxjs';
import type { RecordedLog } from '../support/log.js';
import { clientOf, serve, serveAndConnect } from '../support/nest.js';
import { rawCall, rawFrame } from '../support/raw-frames.js';
import { RawPeer } from '../support/raw-peer.js';
import { packetOf, TextPeer } from '../support/text-peer.js';
import { until } from '../support/wait.js';

@Controller()
class Answers {
  @MessagePattern('echo')
  echo(@Payload() data: unknown): unknown {
    return data;
  }

  @EventPattern('noted')
  noted(@Payload() data: unknown): unknown {
    return data;
  }
}

const HOUR_MS = 3_600_000;
const MANY = 10_000;

const linesOf = (log: RecordedLog, code: string): string[] =>
  log.troubles.filter((line) => line.startsWith(`${code}: `));

/** Writes lines of ndjson and waits until all of them were read. */
async function flood(path: string, lines: string): Promise<TextPeer> {
  const peer = await TextPeer.to(path);
  peer.send(lines, '{"id":"end","pattern":"echo","data":"all was read"}\n');
  await until(() => peer.text.includes('all was read'), 'all was read');
  return peer;
}

describe('what a peer causes again and again', () => {
  it('is written so many times, then counted, and told in one line when the window ends', async () => {
    const { path, log } = await serve([Answers], { maxLogLinesPerCode: 3, logWindowMs: 400 });
    await flood(path, '{"id":"a","pattern":1}\n' + '{}\n'.repeat(1_237));
    const inFull = 'BAD_PAYLOAD: The line can not be read: it names no pattern.';
    const summed =
      'BAD_PAYLOAD: 1,234 more like this in the last 0.4 s; the last one: The line can not be read: it names no pattern.';
    await until(() => log.troubles.includes(summed), 'the window ended');
    expect(linesOf(log, 'BAD_PAYLOAD')).toEqual([inFull, inFull, inFull, summed]);
    expect(linesOf(log, 'NO_HANDLER')).toHaveLength(1);

    await flood(path, '{}\n');
    expect(linesOf(log, 'BAD_PAYLOAD').slice(4)).toEqual([inFull]);
  });

  it('is told when the server closes, where the window has not ended', async () => {
    const { path, log, server } = await serve([Answers], { maxLogLinesPerCode: 1, logWindowMs: HOUR_MS });
    await flood(path, '{}\n'.repeat(5));
    expect(linesOf(log, 'BAD_PAYLOAD')).toHaveLength(1);
    await server.close();
    expect(linesOf(log, 'BAD_PAYLOAD')[1]).toMatch(/^BAD_PAYLOAD: 4 more like this in the last 3600 s; /);
  });

  it('is counted by its code: one that floods hides no other', async () => {
    const { path, log } = await serve([Answers], { maxLogLinesPerCode: 1, logWindowMs: HOUR_MS });
    await flood(path, '{}\n'.repeat(50) + '{"id":1,"pattern":"nobody"}\n{"pattern":"nobody"}\n');
    expect(log.troubles).toEqual([
      expect.stringMatching(/^BAD_PAYLOAD: /),
      expect.stringMatching(/^NO_HANDLER: .*"nobody"/),
      expect.stringMatching(/no matching event handler.*"nobody"/),
    ]);
  });

  it.each([
    ['lines that say nothing', '{}\n'],
    ['events that nobody handles', '{"pattern":"nobody"}\n'],
    ['requests that nobody handles', '{"id":#,"pattern":"nobody"}\n'],
    ['requests whose metadata can not be read', '{"id":#,"pattern":"echo","metadata":1}\n'],
  ])('costs little: 10,000 %s give 20 lines of log, and all are read', async (_what, line) => {
    const { path, log, server } = await serve([Answers], { logWindowMs: HOUR_MS });
    await flood(path, Array.from({ length: MANY }, (_, n) => line.replace('#', String(n))).join(''));
    expect(log.troubles).toHaveLength(20);
    await server.close();
    expect(log.troubles).toHaveLength(21);
    expect(log.troubles[20]).toMatch(/^[A-Z_]+: 9,980 more like this in the last 3600 s; the last one: /);
  });

  it('costs little where it is a connection: 300 that begin with garbage give 20 lines of log', async () => {
    const { path, log } = await serve([Answers], { logWindowMs: HOUR_MS });
    for (let round = 0; round < 10; round += 1) {
      const peers = await Promise.all(Array.from({ length: 30 }, () => TextPeer.to(path)));
      for (const peer of peers) peer.send('GET / HTTP/1.1\r\n\r\n');
      await Promise.all(peers.map((peer) => peer.closed()));
    }
    expect(linesOf(log, 'UNKNOWN_DIALECT')).toHaveLength(20);
    expect(log.troubles).toHaveLength(20);
  });

  it('costs little where it is a connection too many', async () => {
    const { path, client, log } = await serveAndConnect([Answers], { maxConnections: 1 });
    const peers = await Promise.all(Array.from({ length: 50 }, () => TextPeer.to(path)));
    await Promise.all(peers.map((peer) => peer.closed()));
    expect(await lastValueFrom(client.send('echo', 'still'))).toBe('still');
    expect(linesOf(log, 'TOO_MANY_CONNECTIONS')).toHaveLength(20);
  });

  it('is counted too where it is an error that nobody can be told', async () => {
    const { path, log, server } = await serve([Answers], {
      maxLogLinesPerCode: 2,
      logWindowMs: HOUR_MS,
      prepare: (_app, served) =>
        served.setOnProcessingStartHook(() => {
          throw new Error('the hook\nERROR forged');
        }),
    });
    const client = clientOf(path);
    for (let count = 0; count < 5; count += 1) await lastValueFrom(client.emit('noted', count));
    await client.close();
    await server.close();
    expect(log.troubles).toEqual([
      'the hook\nERROR forged',
      'the hook\nERROR forged',
      'UNFILTERED_ERROR: 3 more like this in the last 3600 s; the last one: "the hook\\nERROR forged"',
    ]);
  });
});

describe("an application's code that throws", () => {
  const lines = (id: number): string => `{"id":${id},"pattern":"nobody"}\n{"pattern":"nobody"}\n{}\n`;

  it('costs its line alone where it is the logger: the calls in the same chunk are answered', async () => {
    const { path, log } = await serve([Answers], { maxLogLinesPerCode: 2, logWindowMs: 50 });
    let lost = 0;
    log.warn = log.error = () => {
      lost += 1;
      throw new Error('the disk is full');
    };
    const peer = await flood(path, [1, 2, 3].map(lines).join(''));
    expect(peer.text.match(/NO_HANDLER/g)).toHaveLength(3);
    expect(peer.text.match(/BAD_PAYLOAD/g)).toHaveLength(3);
    // Two of each code, and the one that tells how many there were.
    await until(() => lost === 9, 'each line was tried');
  });

  it('costs its call alone where it is the look-up of a handler', async () => {
    const { path, log } = await serve([Answers], {
      prepare: (_app, server) => {
        const { getHandlerByPattern } = server;
        server.getHandlerByPattern = (pattern) => {
          if (pattern === 'nobody') throw new Error('no such thing');
          return getHandlerByPattern.call(server, pattern);
        };
      },
    });
    const peer = await flood(path, [1, 2, 3].map(lines).join(''));
    expect(peer.text.match(/NO_HANDLER/g)).toHaveLength(3);
    expect(log.troubles.filter((text) => text === 'no such thing')).toHaveLength(6);
  });
});

/** What a terminal obeys, what ends or turns a line, what can't be seen; and more than a line should hold. */
const FORGED = [
  'a\r\nERROR forged',
  '\u001b[2K\u001b[1Aforged\u0007\u0000\u007f\u009b31m',
  '\u2028\u2029\u0085forged',
  '\u202e\u2066\u200f\u061cforged',
  '\u200b\ufeff\u00ad\u{e0041}\ue000forged',
  `\ud83d${'forged'.repeat(2_000)}\n`,
];
const HARMLESS = /^[^\p{C}\p{Zl}\p{Zp}]{1,400}$/u;

describe.each(FORGED)('a line of log can not be forged by %j', (text) => {
  it.each<[string, (path: string) => Promise<unknown>]>([
    [
      'as a pattern of binary',
      async (path) => {
        const peer = await RawPeer.greeted(path);
        peer.send(rawCall({ id: 1, pattern: text }), rawCall({ pattern: text }));
        expect(await peer.refusal(1)).toBe('NO_HANDLER');
      },
    ],
    [
      'as a pattern of ndjson',
      async (path) =>
        await flood(
          path,
          `${JSON.stringify({ id: text.slice(0, 9), pattern: text })}\n{"pattern":[${JSON.stringify(text)}]}\n`,
        ),
    ],
    [
      'as a pattern of nest-json',
      async (path) => {
        const peer = await TextPeer.to(path);
        peer.send(packetOf({ id: 'x', pattern: text }), packetOf({ pattern: { [text]: text } }));
        await peer.packetsCome(1);
      },
    ],
    [
      "as a client's name",
      async (path) => {
        const peer = await RawPeer.greeted(path, { name: Array.from(text).slice(0, 50).join('') });
        peer.send(rawCall({ id: 1, pattern: 'nobody' }), rawCall({ pattern: 'nobody' }));
        await peer.refusal(1);
      },
    ],
    [
      'as metadata, a payload and bytes',
      async (path) => {
        const peer = await RawPeer.greeted(path);
        const metadata = JSON.stringify({ [text]: [text] });
        peer.send(
          rawCall({ id: 1, pattern: 'echo', metadata }),
          rawCall({ id: 2, pattern: 'echo', kind: 1, payload: text }),
          rawFrame({ type: 77, body: text }),
        );
        await peer.closed();
      },
    ],
  ])('%s', async (_where, attack) => {
    const { path, log, server } = await serve([Answers], { maxLogLinesPerCode: 1, logWindowMs: HOUR_MS });
    await attack(path);
    await attack(path);
    await server.close();
    expect(log.troubles.length).toBeGreaterThanOrEqual(3);
    for (const line of log.troubles) expect(line).toMatch(HARMLESS);
  });
});
