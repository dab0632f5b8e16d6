import { Controller, ForbiddenException, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  type BaseRpcContext,
  ClientTCP,
  Ctx,
  EventPattern,
  MessagePattern,
  Payload,
  RpcException,
  ServerTCP,
} from '@nestjs/microservices';
import { concat, delay, EMPTY, from, type Observable, of, throwError } from 'rxjs';
import { afterThisTest } from '../support/cleanup.js';
import { RecordedLog } from '../support/log.js';
import { socketPath } from '../support/nest.js';
import { Gate } from '../support/wait.js';

/** What the handlers of a file share with its tests. */
export interface Seen {
  /** What events brought. */
  readonly events: unknown[];
  /** How many calls of `held` run. */
  held: number;
  readonly gate: Gate;
}

let seen: Seen = { events: [], held: 0, gate: new Gate() };

/** Begins anew: for a test of its own. */
export const seenAnew = (): Seen => (seen = { events: [], held: 0, gate: new Gate() });

/** An application as it is written for Nest's TCP transport; nothing in it knows by which it is served. */
@Controller()
export class Shop {
  @MessagePattern('echo')
  echo(@Payload() data: unknown): unknown {
    return data;
  }

  @MessagePattern({ cmd: 'sum' })
  async sum(@Payload() numbers: readonly number[]): Promise<number> {
    return numbers.reduce((sum, number) => sum + number, 0);
  }

  @MessagePattern('metadata')
  metadata(@Ctx() context: BaseRpcContext & { getMetadata(): unknown }): unknown {
    return context.getMetadata() ?? 'none';
  }

  @MessagePattern('give-null')
  giveNull(): null {
    return null;
  }

  @MessagePattern('give-undefined')
  giveUndefined(): undefined {
    return undefined;
  }

  @MessagePattern('bytes')
  bytes(): Uint8Array {
    return Buffer.from([0, 255]);
  }

  @MessagePattern('observable')
  observable(@Payload() values: readonly unknown[]): Observable<unknown> {
    return from(values);
  }

  /** Each value in a turn of its own. */
  @MessagePattern('apart')
  apart(@Payload() values: readonly unknown[]): Observable<unknown> {
    return concat(...values.map((value) => of(value).pipe(delay(1))));
  }

  @MessagePattern('empty')
  empty(): Observable<never> {
    return EMPTY;
  }

  @MessagePattern('broken-off')
  brokenOff(): Observable<unknown> {
    return concat(
      of(1).pipe(delay(1)),
      throwError(() => new RpcException('sold out')),
    );
  }

  @MessagePattern('generator')
  async *generator(@Payload() count: number): AsyncGenerator<number> {
    for (let value = 0; value < count; value += 1) yield value;
  }

  @MessagePattern('rpc-error')
  rpcError(@Payload() error: string | object): never {
    throw new RpcException(error);
  }

  @MessagePattern('http-error')
  httpError(): never {
    throw new ForbiddenException('not yours');
  }

  @MessagePattern('error')
  error(): never {
    throw new Error('secret');
  }

  @MessagePattern('held')
  async held(@Payload() data: unknown): Promise<unknown> {
    seen.held += 1;
    await seen.gate.opened;
    return data;
  }

  @EventPattern('noted')
  note(@Payload() data: unknown): void {
    seen.events.push(data);
  }
}

@Module({ controllers: [Shop] })
class ShopModule {}

/** Where Nest's TCP transport takes a port, Node takes a path too; its types do not say so. */
export const asPort = (path: string): number => path as unknown as number;

/** Nest's own client of a path; closed after the test. */
export function nestClientOf(path: string): ClientTCP {
  const client = new ClientTCP({ port: asPort(path) });
  afterThisTest(() => client.close());
  return client;
}

/** The same application behind Nest's own server on a path; closed after the test. */
export async function serveByNest(): Promise<{ path: string; log: RecordedLog }> {
  const path = socketPath();
  const log = new RecordedLog();
  const app = await NestFactory.createMicroservice(ShopModule, {
    strategy: new ServerTCP({ port: asPort(path) }),
    logger: log,
    abortOnError: false,
  });
  afterThisTest(() => app.close());
  await app.listen();
  return { path, log };
}
