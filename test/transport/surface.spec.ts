import { describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { MessagePattern } from '@nestjs/microservices';
import { Server, Socket } from 'node:net';
import { lastValueFrom } from 'rxjs';
import { UdsServer } from '../../src/index.js';
import { clientOf, serve, socketPath } from '../support/nest.js';
import { until } from '../support/wait.js';

@Controller()
class Answers {
  @MessagePattern('ping')
  ping(): string {
    return 'pong';
  }
}

describe('what Nest gives of a transport', () => {
  it('client.on hears of each connect, and of events of each socket', async () => {
    const { path } = await serve([Answers]);
    const client = clientOf(path);
    const heard: string[] = [];
    client.on('connect', () => heard.push('connect'));
    client.on('close', () => heard.push('close'));
    for (let round = 0; round < 2; round += 1) {
      await lastValueFrom(client.send('ping', 1));
      client.unwrap<Socket>().destroy();
      await until(() => heard.length === 2 * (round + 1), 'the socket closed');
    }
    expect(heard).toEqual(['connect', 'close', 'connect', 'close']);
  });

  it('client.on of a connection that stands hears of it too', async () => {
    const { path } = await serve([Answers]);
    const client = clientOf(path);
    await client.connect();
    const closed = new Promise<boolean>((resolve) => client.on('close', resolve));
    await client.close();
    expect(await closed).toBe(false);
  });

  it('client.unwrap gives the socket, and throws where there is none', async () => {
    const { path } = await serve([Answers]);
    const client = clientOf(path);
    expect(() => client.unwrap()).toThrow('Not initialized. Please call the "connect" method first.');
    await client.connect();
    expect(client.unwrap()).toBeInstanceOf(Socket);
  });

  it('server.on may be asked before listen, and afterwards', async () => {
    const path = socketPath();
    const heard: string[] = [];
    const { server } = await serve([Answers], {
      path,
      prepare: (_app, early) => early.on('listening', () => heard.push('listening')),
    });
    server.on('connection', () => heard.push('connection'));
    await clientOf(path).connect();
    expect(heard).toEqual(['listening', 'connection']);
  });

  it('server.unwrap gives the net.Server, before listen the one that will listen', async () => {
    let early: unknown;
    const { app, server } = await serve([Answers], {
      prepare: (_app, prepared) => (early = prepared.unwrap()),
    });
    expect(early).toBeInstanceOf(Server);
    expect(server.unwrap()).toBe(early);
    await app.close();
    expect(server.unwrap()).toBeInstanceOf(Server);
    expect(server.unwrap()).not.toBe(early);
  });

  it('server.close of one that was unwrapped and never listened changes nothing', async () => {
    const server = new UdsServer({ path: socketPath() });
    server.unwrap();
    await server.close();
    const errors: unknown[] = [];
    await new Promise<void>((resolve) => {
      server.listen((error) => {
        errors.push(error);
        resolve();
      });
    });
    expect(errors).toEqual([undefined]);
    await server.close();
  });

  it('connect resolves once, however often it is asked', async () => {
    const { path, server } = await serve([Answers]);
    let connections = 0;
    server.on('connection', () => (connections += 1));
    const client = clientOf(path);
    await Promise.all([client.connect(), client.connect(), lastValueFrom(client.send('ping', 1))]);
    await client.connect();
    expect(connections).toBe(1);
  });
});
