import { Controller, type Type } from '@nestjs/common';
import { Ctx, MessagePattern } from '@nestjs/microservices';
import { answerTo, type Context, tell } from './calls.js';
import { equal, type Row, type See } from './row.js';
import { Journal, served } from './world.js';

/** One handler; it notes and answers what its context gives as the pattern. */
export function handlerOf(patterns: readonly unknown[]): Type {
  @Controller()
  class Handler {
    constructor(private readonly journal: Journal) {}

    @MessagePattern(patterns)
    handle(@Ctx() context: Context): string {
      this.journal.note(context.getPattern());
      return context.getPattern();
    }

    @MessagePattern('behind')
    behind(): string {
      return 'behind';
    }
  }
  return Handler;
}

/** What `getPattern()` gives for a message and for an event, or 'nobody' where none of the handlers got it. */
export const reached = (handlers: readonly unknown[], called: unknown): See =>
  served({ controllers: [handlerOf(handlers)] }, async (world) => {
    const message = await answerTo(world, called);
    const { notes } = world.journal;
    notes.length = 0;
    await tell(world, called, 'x', 'behind');
    return { message, event: notes[0] ?? 'nobody' };
  });

interface Reach {
  readonly handler: unknown;
  /** As the handler's, unless given. */
  readonly called?: unknown;
  readonly message: string;
  /** As of the message, unless given. */
  readonly event?: string;
}

/** A pattern of a handler, and one that is called. */
export const reaches = (says: string, { handler, called = handler, message, event = message }: Reach): Row =>
  equal(says, reached([handler], called), { message, event });
