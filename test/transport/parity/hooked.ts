import { type CanActivate, Controller, UseGuards } from '@nestjs/common';
import { Ctx, EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { Observable, of, throwError } from 'rxjs';
import { turns } from '../../support/wait.js';
import type { Context } from './calls.js';
import { type Application, Journal } from './world.js';

class Refuses implements CanActivate {
  canActivate(): boolean {
    return false;
  }
}

class Breaks implements CanActivate {
  canActivate(): never {
    throw new Error('broken guard');
  }
}

@Controller()
class Answers {
  constructor(private readonly journal: Journal) {}

  @MessagePattern('value')
  value(): string {
    this.journal.note('handler');
    return 'value';
  }

  @MessagePattern('promise')
  async promise(): Promise<string> {
    await turns(1);
    this.journal.note('handler');
    return 'value';
  }

  @MessagePattern('observable')
  observable(): Observable<number> {
    this.journal.note('handler');
    return of(1, 2, 3);
  }

  @MessagePattern('observable-fails')
  observableFails(): Observable<number> {
    this.journal.note('handler');
    return throwError(() => new Error('broken'));
  }

  @MessagePattern('throws')
  throws(): never {
    this.journal.note('handler');
    throw new Error('broken');
  }

  @MessagePattern('rejects')
  async rejects(): Promise<never> {
    this.journal.note('handler');
    await turns(1);
    throw new Error('broken');
  }

  @MessagePattern('refused')
  @UseGuards(Refuses)
  refused(): void {
    this.journal.note('handler');
  }

  @MessagePattern('breaks')
  @UseGuards(Breaks)
  breaks(): void {
    this.journal.note('handler');
  }

  @MessagePattern('never')
  never(): Observable<never> {
    this.journal.note('handler');
    return new Observable(() => () => this.journal.note('torn down'));
  }

  @MessagePattern({ cmd: 'context' })
  context(@Ctx() context: Context): void {
    this.journal.note(context);
  }
}

@Controller()
class Events {
  constructor(private readonly journal: Journal) {}

  @EventPattern('told')
  told(@Payload() _data: unknown): void {
    this.journal.note('handler');
  }

  @EventPattern('told-stream')
  toldStream(@Payload() _data: unknown): Observable<number> {
    this.journal.note('handler');
    return of(1, 2);
  }

  @EventPattern('told-stream-fails')
  toldStreamFails(@Payload() _data: unknown): Observable<never> {
    this.journal.note('handler');
    return throwError(() => new Error('broken'));
  }

  @EventPattern('told-fails')
  toldFails(@Payload() _data: unknown): void {
    this.journal.note('handler');
    throw new Error('broken');
  }

  @EventPattern('told-refused')
  @UseGuards(Refuses)
  toldRefused(@Payload() _data: unknown): void {
    this.journal.note('handler');
  }
}

export const HOOKED = [Answers, Events];

/** What the hooks do beside noting. */
export interface Hooks {
  start?(done: () => Promise<unknown>, pattern: string): unknown;
  end?(): void;
}

/** An application whose hooks note that they ran. */
export function hooked({ start = (done) => done(), end = () => undefined }: Hooks = {}): Application {
  return {
    controllers: HOOKED,
    prepare: (_app, server, journal) => {
      server.setOnProcessingStartHook((_transportId, context, done) => {
        journal.note('start');
        return start(done, (context as Context).getPattern());
      });
      server.setOnProcessingEndHook(() => {
        journal.note('end');
        end();
      });
    },
  };
}
