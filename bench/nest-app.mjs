// The Nest application that every peer of Nest's serves: the same handlers, whatever the transport.
import 'reflect-metadata';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { GrpcMethod, MessagePattern } from '@nestjs/microservices';
import { range } from 'rxjs';

class BenchController {
  echo(value) {
    return value;
  }

  *items(count) {
    for (let item = 0; item < count; item += 1) yield item;
  }

  /** The same for a transport that can't stream what a generator gives. */
  observedItems(count) {
    return range(0, count);
  }

  text(message) {
    return message;
  }

  fields(message) {
    return message;
  }

  bytes(message) {
    return message;
  }
}

/** What a decorator of a method does, in plain JavaScript. */
function decorate(decorator, method) {
  const { prototype } = BenchController;
  decorator(prototype, method, Object.getOwnPropertyDescriptor(prototype, method));
}

for (const method of ['echo', 'items', 'observedItems']) decorate(MessagePattern(method), method);
decorate(GrpcMethod('Echo', 'Text'), 'text');
decorate(GrpcMethod('Echo', 'Fields'), 'fields');
decorate(GrpcMethod('Echo', 'Bytes'), 'bytes');
Controller()(BenchController);

class BenchModule {}
Module({ controllers: [BenchController] })(BenchModule);

/** Resolves when it listens. */
export async function serveNest(options) {
  const app = await NestFactory.createMicroservice(BenchModule, { ...options, logger: ['error'] });
  await app.listen();
}

/** Counts the items of a streamed answer. */
export function countItems(answers) {
  return new Promise((resolve, reject) => {
    let count = 0;
    answers.subscribe({ next: () => (count += 1), error: reject, complete: () => resolve(count) });
  });
}
