import { Controller } from '@nestjs/common';
import { Ctx, EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { setTimeout as delay } from 'node:timers/promises';
import { interval, map, Observable } from 'rxjs';

/** How fast streams give their values: many at a time must leave the processor to others. */
const PACE_MS = 5;

/** Every handler writes the id of its call into the journal, as it begins and, where that matters, as it ends. */
export function controllerOf(journal) {
  const held = new Map();

  class Handlers {
    echo({ id }) {
      journal.write('ran', id);
      return { id };
    }

    async slow({ id, ms }) {
      journal.write('ran', id);
      await delay(ms);
      return { id };
    }

    /** Is answered when `release` names it, or never. */
    hold({ id }, context) {
      journal.write('ran', id);
      context.signal.addEventListener('abort', () =>
        journal.write('aborted', id, context.signal.reason.code),
      );
      return new Promise((answer) => held.set(id, () => answer({ id })));
    }

    release({ id, of }) {
      journal.write('ran', id);
      held.get(of)();
      return { id };
    }

    /** Keeps the whole process from everything else. */
    busy({ id, ms }) {
      journal.write('ran', id);
      for (const endsAtMs = performance.now() + ms; performance.now() < endsAtMs;);
      return { id };
    }

    /** Written down once it has come to its end. */
    async note({ id, ms = 0 }) {
      await delay(ms);
      journal.write('noted', id);
    }

    async *generator({ id }) {
      journal.write('ran', id);
      try {
        for (let value = 0; ; value += 1) {
          yield { id, value };
          await delay(PACE_MS);
        }
      } finally {
        journal.write('returned', id);
      }
    }

    iterable({ id }) {
      journal.write('ran', id);
      let value = 0;
      return {
        [Symbol.asyncIterator]: () => ({
          next: async () => {
            await delay(PACE_MS);
            return { done: false, value: { id, value: value++ } };
          },
          return: async () => {
            journal.write('returned', id);
            return { done: true, value: undefined };
          },
        }),
      };
    }

    observable({ id }) {
      journal.write('ran', id);
      return new Observable((observer) => {
        const values = interval(PACE_MS).pipe(map((value) => ({ id, value })));
        const running = values.subscribe(observer);
        return () => {
          running.unsubscribe();
          journal.write('torn', id);
        };
      });
    }
  }

  for (const name of Object.getOwnPropertyNames(Handlers.prototype)) {
    if (name === 'constructor') continue;
    const pattern = name === 'note' ? EventPattern(name) : MessagePattern(name);
    pattern(Handlers.prototype, name, Object.getOwnPropertyDescriptor(Handlers.prototype, name));
  }
  // Without these Nest gives the payload alone.
  Payload()(Handlers.prototype, 'hold', 0);
  Ctx()(Handlers.prototype, 'hold', 1);
  Controller()(Handlers);
  return Handlers;
}
