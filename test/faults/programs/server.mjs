// A Nest application that serves handlers.mjs with the options that it is given, from when it is told to go until a signal
// ends it. So that who replaces a server can be ready before, and many can start in the same moment.
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { shutDownOnSignals, UdsServer } from 'nest-uds';
import { Book } from './book.mjs';
import { controllerOf } from './handlers.mjs';
import { settings, told } from './settings.mjs';

class Root {}
Module({ controllers: [controllerOf(new Book(settings.journal))] })(Root);

const strategy = new UdsServer(settings.options);
const app = await NestFactory.createMicroservice(Root, {
  strategy,
  logger: ['error', 'warn'],
  abortOnError: false,
});
console.log('standing by');
await told('go');
const starting = app.listen();
shutDownOnSignals({ servers: [strategy], app, starting });
try {
  await starting;
  console.log('ready');
} catch (error) {
  console.log(`refused ${error.code}: ${error.message}`);
  process.exitCode = 1;
}
