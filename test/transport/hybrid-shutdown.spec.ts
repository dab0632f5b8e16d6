import { describe, expect, it } from '@jest/globals';
import {
  Controller,
  Injectable,
  Module,
  type OnApplicationShutdown,
  type OnModuleDestroy,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MessagePattern } from '@nestjs/microservices';
import { existsSync } from 'node:fs';
import { lastValueFrom } from 'rxjs';
import { shutDownOnSignals, UdsServer } from '../../src/index.js';
import { startNode } from '../support/child.js';
import { afterThisTest } from '../support/cleanup.js';
import { BareHttpAdapter } from '../support/http-adapter.js';
import { clientOf, socketPath } from '../support/nest.js';
import { ProcessHost } from '../support/process-host.js';
import { Gate, turns } from '../support/wait.js';

const begun = new Gate();
const gate = new Gate();
const notes: string[] = [];

@Injectable()
class Store implements OnModuleDestroy, OnApplicationShutdown {
  onModuleDestroy(): void {
    notes.push('module destroyed');
  }

  onApplicationShutdown(): void {
    notes.push('application shut down');
  }
}

@Controller()
class Work {
  @MessagePattern('work')
  async work(): Promise<string> {
    begun.open();
    await gate.opened;
    notes.push('answered');
    return 'done';
  }
}

@Module({ controllers: [Work], providers: [Store] })
class Application {}

describe('a hybrid application that shutDownOnSignals ends', () => {
  it('answers what runs before its modules are destroyed, then closes HTTP, and exits with 0', async () => {
    const path = socketPath();
    const server = new UdsServer({ path });
    const app = await NestFactory.create(Application, new BareHttpAdapter(), { logger: false });
    app.connectMicroservice({ strategy: server });
    const host = new ProcessHost();
    shutDownOnSignals({ servers: [server], app, process: host });
    await app.startAllMicroservices();
    await app.listen(0);
    afterThisTest(() => app.close());
    const answer = lastValueFrom(clientOf(path).send('work', 1));
    await begun.opened;
    host.emit('SIGTERM');
    await turns(60);
    expect(notes).toEqual([]);
    gate.open();
    expect(await answer).toBe('done');
    expect(await host.exitCode()).toBe(0);
    expect(notes).toEqual(['answered', 'module destroyed', 'application shut down']);
    expect((app.getHttpServer() as { listening: boolean }).listening).toBe(false);
    expect(existsSync(path)).toBe(false);
  });
});

/** The same with Nest's own hooks, in a process of its own, since they end it. */
const WITH_NESTS_HOOKS = `
  import 'reflect-metadata';
  import { Module } from '@nestjs/common';
  import { NestFactory } from '@nestjs/core';
  import { UdsServer } from 'nest-uds';
  class Application { onModuleDestroy() { console.log('module destroyed'); } }
  Module({})(Application);
  const server = new UdsServer({ path: process.argv[1] });
  server.addHandler('work', async () => {
    console.log('begun');
    await new Promise((resolve) => process.stdin.once('data', resolve));
    console.log('answered');
    return 'done';
  });
  const app = await NestFactory.createMicroservice(Application, { strategy: server, logger: false });
  app.enableShutdownHooks();
  await app.listen();
  console.log('serves');`;

describe("Nest's own enableShutdownHooks", () => {
  it('destroys the modules while a call still runs, then drains, and ends by the signal', async () => {
    const path = socketPath();
    const child = startNode(['--input-type=module', '--eval', WITH_NESTS_HOOKS, path], { hasInput: true });
    await child.says(/serves/);
    const answer = lastValueFrom(clientOf(path).send('work', 1));
    await child.says(/begun/);
    child.signal('SIGTERM');
    await child.says(/module destroyed/);
    expect(child.stdout).not.toMatch(/answered/);
    child.write('go on\n');
    expect(await answer).toBe('done');
    expect(await child.exit()).toBe('SIGTERM');
  });
});
