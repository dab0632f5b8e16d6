import { describe, expect, it } from '@jest/globals';
import { Buffer } from 'node:buffer';
import type { Socket } from 'node:net';
import { lastValueFrom } from 'rxjs';
import type { UdsClient } from '../../src/index.js';
import { clientOf, socketPath } from '../support/nest.js';
import { rawFrame } from '../support/raw-frames.js';
import { RawServer } from '../support/raw-server.js';
import { until } from '../support/wait.js';
import { TYPE } from '../support/wire-tap.js';

const TEXT = 2;
const BYTES = 3;

const answer = (body: string, flags = TEXT): Buffer => rawFrame({ type: TYPE.RESPONSE, id: 1, flags, body });

interface Talk {
  readonly client: UdsClient;
  readonly server: RawServer;
  readonly answered: Promise<unknown>;
  /** Sends a part of the answer, and waits until the client has read it. */
  say(part: Buffer): Promise<void>;
}

/** A client with one call under way. */
async function talk(): Promise<Talk> {
  const server = await RawServer.listening(socketPath());
  const client = clientOf(server.path);
  await client.connect();
  const answered = lastValueFrom(client.send('x', 'y'));
  await server.frame(TYPE.REQUEST, 1);
  const say = async (part: Buffer): Promise<void> => {
    const { bytesRead } = client.unwrap<Socket>();
    server.send(part);
    await until(() => client.unwrap<Socket>().bytesRead === bytesRead + part.length, 'it was read');
  };
  return { client, server, answered, say };
}

describe('clients that read into the same memory', () => {
  it.each([
    ['inside its header', 4],
    ['behind its header', 10],
    ['inside its body', 500],
  ])('have each its own answer where one is cut: %s', async (_where, at) => {
    const [one, other] = [await talk(), await talk()];
    // Its end is another letter than its beginning: it is read to where that was.
    const text = 'a'.repeat(500) + 'c'.repeat(500);
    const cut = answer(text);
    await one.say(cut.subarray(0, at));
    other.server.send(answer('b'.repeat(3000)));
    expect(await other.answered).toBe('b'.repeat(3000));
    one.server.send(cut.subarray(at));
    expect(await one.answered).toBe(text);
  });

  it('keep bytes that were answered as they were', async () => {
    const [one, other] = [await talk(), await talk()];
    one.server.send(answer('a'.repeat(100), BYTES));
    const bytes = await one.answered;
    other.server.send(answer('b'.repeat(3000)));
    await other.answered;
    expect(bytes).toEqual(Buffer.alloc(100, 'a'));
  });
});
