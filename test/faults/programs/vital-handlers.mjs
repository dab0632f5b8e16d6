import { Controller } from '@nestjs/common';
import { Ctx, EventPattern, MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { interval, range, take } from 'rxjs';

const MAX_VALUES = 64;
const MAX_PAUSE_MS = 1000;
const LONG_MS = 200;
/** Of one call that computes. */
const COMPUTE_MS = 3;
/** Longer than any process here is held up. */
const VERY_LONG_MS = 10_000;

const EVENTS = ['noted', 'rest'];

/** What a peer may ask for is bounded: these are called with whatever came out of a mutation. */
const upTo = (limit, value) => (value >= 0 && value <= limit ? Math.floor(value) : 1);

/** Handlers of every kind that write nothing down; `told` counts what they were asked. */
export function vitalControllerOf(told) {
  class VitalHandlers {
    give(value) {
      return value;
    }

    async wait(value) {
      await delay(upTo(MAX_PAUSE_MS, value?.ms));
      return value;
    }

    /** Is over when nobody waits for it any more; a text peer that has ended its input may wait on. */
    async long(value, { signal }) {
      await delay(value?.isVeryLong === true ? VERY_LONG_MS : LONG_MS, undefined, { signal }).catch(() => {
        throw new RpcException('aborted');
      });
      return value;
    }

    async *count(value) {
      for (let item = 0; item < upTo(MAX_VALUES, value?.items); item += 1) yield item;
    }

    ticks(value) {
      return interval(1).pipe(take(upTo(MAX_VALUES, value?.items)));
    }

    /** Keeps what it was given for as long as somebody waits. */
    async hoard(value, { signal }) {
      await once(signal, 'abort');
      return value?.length;
    }

    /** As fast as it is subscribed to. */
    burst(value) {
      return range(0, upTo(MAX_VALUES, value?.items));
    }

    /** Keeps the whole process from everything else. */
    compute(value) {
      for (const endsAtMs = performance.now() + COMPUTE_MS; performance.now() < endsAtMs;);
      return value;
    }

    fail(value) {
      throw new RpcException({ reason: 'asked to', value });
    }

    noted() {
      told.events += 1;
    }

    async rest(value) {
      await delay(upTo(MAX_PAUSE_MS, value?.ms));
    }

    stats(_value, context) {
      told.stats ??= () => context.stats();
      return context.stats();
    }
  }

  const { prototype } = VitalHandlers;
  for (const name of Object.getOwnPropertyNames(prototype)) {
    if (name === 'constructor') continue;
    const pattern = EVENTS.includes(name) ? EventPattern(name) : MessagePattern(name);
    pattern(prototype, name, Object.getOwnPropertyDescriptor(prototype, name));
  }
  for (const name of ['long', 'hoard', 'stats']) {
    // Without these Nest gives the payload alone.
    Payload()(prototype, name, 0);
    Ctx()(prototype, name, 1);
  }
  Controller()(VitalHandlers);
  return VitalHandlers;
}
