import { beforeEach, describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { Ctx, EventPattern, MessagePattern } from '@nestjs/microservices';
import { Socket } from 'node:net';
import { lastValueFrom } from 'rxjs';
import { UdsContext, UdsRecordBuilder, type UdsStats } from '../../src/index.js';
import { clientOf, serve, serveAndConnect } from '../support/nest.js';
import { Gate, until } from '../support/wait.js';

let contexts: UdsContext[] = [];
let gate = new Gate();

beforeEach(() => {
  contexts = [];
  gate = new Gate();
});

@Controller()
class Asks {
  @MessagePattern('ask')
  ask(@Ctx() context: UdsContext): string {
    contexts.push(context);
    return 'ok';
  }

  @MessagePattern({ cmd: 'ask' })
  askByObject(@Ctx() context: UdsContext): string {
    contexts.push(context);
    return 'ok';
  }

  @EventPattern('told')
  async told(@Ctx() context: UdsContext): Promise<void> {
    contexts.push(context);
    await gate.opened;
  }

  @MessagePattern('wait')
  async wait(@Ctx() context: UdsContext): Promise<string> {
    contexts.push(context);
    await gate.opened;
    return 'done';
  }

  @MessagePattern('stats')
  stats(@Ctx() context: UdsContext): UdsStats {
    return context.stats();
  }
}

describe('UdsContext', () => {
  it('gives the socket of the connection that the call came through', async () => {
    const { server, client, path } = await serveAndConnect([Asks]);
    await lastValueFrom(client.send('ask', 1));
    await lastValueFrom(client.send('ask', 1));
    const [first, second] = contexts.map((context) => context.getSocketRef());
    expect(first).toBeInstanceOf(Socket);
    expect(second).toBe(first);
    expect(contexts[0]?.getArgs()[0]).toBe(first);
    const accepted = new Promise<Socket>((resolve) => server.on('connection', resolve));
    const other = clientOf(path);
    await lastValueFrom(other.send('ask', 1));
    expect(contexts[2]?.getSocketRef()).toBe(await accepted);
    expect(contexts[2]?.getSocketRef()).not.toBe(first);
  });

  it('gives the pattern, as JSON text where it is no string', async () => {
    const { client } = await serveAndConnect([Asks]);
    await lastValueFrom(client.send('ask', 1));
    await lastValueFrom(client.send({ cmd: 'ask' }, 1));
    expect(contexts.map((context) => context.getPattern())).toEqual(['ask', '{"cmd":"ask"}']);
  });

  it('gives the metadata of a call and of an event, and undefined where there is none', async () => {
    const { client } = await serveAndConnect([Asks]);
    const record = new UdsRecordBuilder(1).setMetadata({ tenant: 'ä', trace: '' }).build();
    await lastValueFrom(client.send('ask', record));
    await lastValueFrom(client.emit('told', record));
    await lastValueFrom(client.send('ask', 1));
    gate.open();
    expect(contexts.map((context) => context.getMetadata())).toEqual([
      { tenant: 'ä', trace: '' },
      { tenant: 'ä', trace: '' },
      undefined,
    ]);
  });

  it('makes its signal on first use, the same for all who ask, and never aborts it after the end', async () => {
    const { client } = await serveAndConnect([Asks]);
    await lastValueFrom(client.send('ask', 1));
    const { signal } = contexts[0]!;
    expect(contexts[0]!.signal).toBe(signal);
    await client.close();
    expect(signal.aborted).toBe(false);
  });

  it('tells who called, by its hello', async () => {
    const { path } = await serve([Asks]);
    await lastValueFrom(clientOf(path, { name: 'shop ü' }).send('ask', 1));
    await lastValueFrom(clientOf(path).send('ask', 1));
    expect(contexts.map(({ peer }) => peer)).toEqual([
      { name: 'shop ü', pid: process.pid, version: 1 },
      { name: '', pid: process.pid, version: 1 },
    ]);
  });

  it('counts the connections and calls of the whole server', async () => {
    const { path, client } = await serveAndConnect([Asks]);
    const other = clientOf(path);
    for (let call = 0; call < 3; call += 1) await lastValueFrom(other.send('ask', 1));
    const waiting = lastValueFrom(client.send('wait', 1));
    await lastValueFrom(client.emit('told', 1));
    await until(() => contexts.length === 5, 'both run');
    const stats = await lastValueFrom(client.send<UdsStats>('stats', 1));
    expect(stats).toMatchObject({ connections: 2, callsServed: 3, callsInFlight: 3 });

    gate.open();
    await waiting;
    await other.close();
    await until(() => contexts[0]!.stats().connections === 1, 'one connection is left');
    // 3 asks, the call and the event that waited, the one that asked for the numbers
    expect(contexts[0]!.stats()).toMatchObject({ connections: 1, callsServed: 6, callsInFlight: 0 });
  });
  it('counts an event of a client that has gone as in flight, and the client no more', async () => {
    const { path, client } = await serveAndConnect([Asks]);
    const other = clientOf(path);
    await lastValueFrom(other.emit('told', 1));
    await until(() => contexts.length === 1, 'the event runs');
    await other.close();
    await until(() => contexts[0]!.stats().connections === 1, 'one connection is left');
    expect(contexts[0]!.stats()).toMatchObject({ connections: 1, callsServed: 0, callsInFlight: 1 });
    gate.open();
    await until(() => contexts[0]!.stats().callsServed === 1, 'the event ended');
    expect(await lastValueFrom(client.send('ask', 1))).toBe('ok');
  });
});
