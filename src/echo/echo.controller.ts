import { readFileSync } from 'node:fs';
import { Controller } from '@nestjs/common';
import { Ctx, MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import { UDS_TRANSPORT } from '../transport/uds.constants.js';
import { UdsContext } from '../transport/uds.context.js';
import {
  ECHO_PATTERN,
  ECHO_STREAM_PATTERN,
  type EchoHealth,
  HEALTH_PATTERN,
  INVALID_STREAM_ITEMS,
  MAX_STREAM_COUNT,
} from './echo.contract.js';

// Two folders up is the package, from src as from dist.
const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

/** Gives back what it gets. */
@Controller()
export class EchoController {
  @MessagePattern(ECHO_PATTERN)
  echo(@Payload() value: unknown): unknown {
    return value;
  }

  /**
   * An array's items, or the numbers from 0 up to a count, one by one and no faster than the caller reads.
   *
   * @throws RpcException `{ code: 'INVALID_STREAM_ITEMS', message }`
   */
  @MessagePattern(ECHO_STREAM_PATTERN)
  echoStream(@Payload() items: unknown): AsyncIterable<unknown> {
    if (Array.isArray(items)) return oneByOne(items);
    if (isCount(items)) return oneByOne(countTo(items));
    throw new RpcException({
      code: INVALID_STREAM_ITEMS,
      message: `${ECHO_STREAM_PATTERN} takes an array, or a whole number from 0 to ${MAX_STREAM_COUNT}; it got ${show(items)}.`,
    });
  }

  // No other transport has these figures, so none gets this handler.
  @MessagePattern(HEALTH_PATTERN, UDS_TRANSPORT)
  health(@Ctx() context: UdsContext): EchoHealth {
    const uptimeMs = Math.round(process.uptime() * 1000);
    return { uptimeMs, version, pid: process.pid, ...context.stats() };
  }
}

/** An async generator, which the transport pauses while the caller does not read. */
// eslint-disable-next-line @typescript-eslint/require-await -- what it gives is there already
async function* oneByOne(items: Iterable<unknown>): AsyncGenerator<unknown, void, undefined> {
  yield* items;
}

function* countTo(count: number): Generator<number, void, undefined> {
  for (let item = 0; item < count; item += 1) yield item;
}

function isCount(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MAX_STREAM_COUNT;
}

/** Names a value in few words, however long it is. */
function show(value: unknown): string {
  if (typeof value === 'number') return String(value);
  return value === null ? 'null' : `a value of type ${typeof value}`;
}
