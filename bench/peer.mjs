// The server process of one peer: `node bench/peer.mjs KIND ADDRESS`. Says `ready` on its IPC channel.
import 'reflect-metadata';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MessagePattern, Transport } from '@nestjs/microservices';
import { udsServer } from '../dist/index.js';

class EchoController {
  echo(value) {
    return value;
  }
}
MessagePattern('echo')(
  EchoController.prototype,
  'echo',
  Object.getOwnPropertyDescriptor(EchoController.prototype, 'echo'),
);
Controller()(EchoController);

class BenchModule {}
Module({ controllers: [EchoController] })(BenchModule);

const [kind, address] = process.argv.slice(2);
const config =
  kind === 'uds'
    ? udsServer({ path: address })
    : {
        transport: Transport.TCP,
        options: { host: '127.0.0.1', port: kind === 'tcp' ? Number(address) : address },
      };

const app = await NestFactory.createMicroservice(BenchModule, { ...config, logger: ['error'] });
await app.listen();
process.on('disconnect', () => process.exit(0));
process.send?.('ready');
