// A stranger's Nest project that has installed the package: it serves the echo, asks for it, and ends.
import 'reflect-metadata';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ClientsModule } from '@nestjs/microservices';
import { UdsClient, UdsServer, udsClient, udsServer } from 'nest-uds';
import { EchoClient, EchoClientModule, EchoModule } from 'nest-uds/echo';
import { from, lastValueFrom } from 'rxjs';

const folder = mkdtempSync(join(tmpdir(), 'uds-'));
const path = join(folder, 'echo.sock');

// Nest's own way of registering a client takes ours as it is
@Module({
  imports: [
    EchoClientModule.forRoot({ path }),
    ClientsModule.register([{ name: 'ANY', ...udsClient({ path }) }]),
  ],
})
class ConsumerModule {}

const server = await NestFactory.createMicroservice(EchoModule, udsServer({ path }));
await server.listen();
const app = await NestFactory.createApplicationContext(ConsumerModule, { logger: ['error'] });

const answer: string = await lastValueFrom(from(app.get(EchoClient).echo('x')));
const classes = [UdsServer, UdsClient].map((one) => typeof one).join();

await app.close();
await server.close();
rmSync(folder, { recursive: true });

if (answer !== 'x' || classes !== 'function,function') throw new Error(`answer ${answer}, ${classes}`);
process.stdout.write('the echo answered x\n');
