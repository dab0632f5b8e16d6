import {
  type CallHandler,
  type CanActivate,
  Controller,
  type ExecutionContext,
  type NestInterceptor,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import { Ctx, EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { finalize, Observable } from 'rxjs';
import { UdsContext, type UdsError } from '../../src/index.js';
import { Gate } from './wait.js';

/** What the handlers below saw. */
export class Seen {
  /** How often what a cancel is to find at work began: a handler, or the guard or interceptor before it. */
  started = 0;
  /** How often what lies behind a guard or an interceptor began. */
  behind = 0;
  /** Each end: of an Observable, of a generator, of what an interceptor watches. */
  readonly ends: string[] = [];
  /** The reason of each abort of a `context.signal`. */
  readonly reasons: string[] = [];
  pulls = 0;
  pullsAtAbort = 0;
  eventsEnded = 0;
  /** Holds guards and interceptors back. */
  readonly gate = new Gate();
  /** Holds other calls, and events, back. */
  readonly others = new Gate();
}

let seen = new Seen();

/** Begins anew: for a test of its own. */
export const seenAnew = (): Seen => (seen = new Seen());

/** Notes when the call's signal aborts. */
function watch({ signal }: UdsContext): void {
  signal.addEventListener('abort', () => {
    seen.reasons.push((signal.reason as UdsError).code);
    seen.pullsAtAbort = seen.pulls;
  });
}

const aborted = ({ signal }: UdsContext): Promise<void> =>
  new Promise((resolve) => signal.addEventListener('abort', () => resolve()));

const waitAt = async (context: ExecutionContext): Promise<void> => {
  seen.started += 1;
  watch(context.switchToRpc().getContext<UdsContext>());
  await seen.gate.opened;
};

class GuardWaits implements CanActivate {
  async canActivate(context: ExecutionContext): Promise<boolean> {
    await waitAt(context);
    return true;
  }
}

class InterceptorWaits implements NestInterceptor {
  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    await waitAt(context);
    return next.handle();
  }
}

class InterceptorPassesOn implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle();
  }
}

class InterceptorWatches implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(finalize(() => seen.ends.push('finalized')));
  }
}

/** Handlers that never end by themselves. With the payload `silent` they give no value either. */
@Controller()
export class Endless {
  @MessagePattern('observable')
  observable(@Payload() how: string, @Ctx() context: UdsContext): Observable<number> {
    return new Observable((observer) => {
      seen.started += 1;
      watch(context);
      if (how !== 'silent') observer.next(1);
      return () => seen.ends.push('torn down');
    });
  }

  @MessagePattern('generator')
  async *generator(@Payload() how: string, @Ctx() context: UdsContext): AsyncGenerator<number> {
    seen.started += 1;
    watch(context);
    try {
      if (how === 'silent') await aborted(context);
      while (true) {
        await new Promise(setImmediate);
        yield (seen.pulls += 1);
      }
    } finally {
      seen.ends.push('finally');
    }
  }

  @MessagePattern('watched')
  @UseInterceptors(InterceptorWatches)
  watched(@Payload() how: string, @Ctx() context: UdsContext): Observable<number> {
    return this.observable(how, context);
  }

  @MessagePattern('passed-on')
  @UseInterceptors(InterceptorPassesOn)
  passedOn(@Payload() how: string, @Ctx() context: UdsContext): AsyncGenerator<number> {
    return this.generator(how, context);
  }

  @MessagePattern('promise')
  async promise(@Ctx() context: UdsContext): Promise<string> {
    seen.started += 1;
    watch(context);
    await aborted(context);
    return 'too late';
  }

  @MessagePattern('guarded')
  @UseGuards(GuardWaits)
  guarded(): Observable<number> {
    return new Observable((observer) => {
      seen.behind += 1;
      observer.next(1);
    });
  }

  @MessagePattern('guarded-generator')
  @UseGuards(GuardWaits)
  async *guardedGenerator(): AsyncGenerator<number> {
    seen.behind += 1;
    yield 1;
  }

  /** Nest runs it, whether or not anybody waits: it can only be told. */
  @MessagePattern('guarded-promise')
  @UseGuards(GuardWaits)
  async guardedPromise(@Ctx() { signal }: UdsContext): Promise<string> {
    seen.ends.push(signal.aborted ? 'told' : 'not told');
    return 'too late';
  }

  @MessagePattern('held-back')
  @UseInterceptors(InterceptorWaits)
  heldBack(): number {
    return (seen.behind += 1);
  }

  @MessagePattern('other')
  async other(): Promise<string> {
    await seen.others.opened;
    return 'done';
  }

  @EventPattern('event')
  async event(@Payload() _data: unknown): Promise<void> {
    await seen.others.opened;
    seen.eventsEnded += 1;
  }

  @MessagePattern('ping')
  ping(): string {
    return 'pong';
  }
}

export interface Target {
  readonly name: string;
  readonly pattern: string;
  /** What ends when nobody waits any more, in order. */
  readonly ends: readonly string[];
  readonly givesValues?: true;
}

export const targets: readonly Target[] = [
  { name: 'an Observable', pattern: 'observable', ends: ['torn down'], givesValues: true },
  { name: 'an async generator', pattern: 'generator', ends: ['finally'], givesValues: true },
  {
    name: 'an Observable that an interceptor watches',
    pattern: 'watched',
    ends: ['finalized', 'torn down'],
    givesValues: true,
  },
  {
    name: 'an async generator that an interceptor passes on',
    pattern: 'passed-on',
    ends: ['finally'],
    givesValues: true,
  },
  { name: 'a promise', pattern: 'promise', ends: [] },
  { name: 'a guard that waits', pattern: 'guarded', ends: [] },
  { name: 'an interceptor that waits', pattern: 'held-back', ends: [] },
];
