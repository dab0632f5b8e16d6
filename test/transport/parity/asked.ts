import { Controller } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { Observable } from 'rxjs';
import { equal, type Row } from './row.js';
import { type Trace, trace, traceBeside } from './trace.js';
import { type Application, served, type World } from './world.js';

/** What is told of an error that is not meant for callers. */
export const UNKNOWN_ERROR = { status: 'error', message: 'Internal server error' };

/** An application whose handler of `ask` does what is given; that of `beside` answers at once. */
export function asked(answer: (payload: unknown) => unknown): Application {
  @Controller()
  class Asked {
    @MessagePattern('ask')
    ask(@Payload() payload: unknown): unknown {
      return answer(payload);
    }

    @MessagePattern('beside')
    beside(): string {
      return 'beside';
    }
  }
  return { controllers: [Asked] };
}

/** Asks once. */
export const ask = ({ client }: World): Promise<Trace> => trace(client.send('ask', 'please'));

/** What a handler gives, and what its caller sees. */
export const given = (says: string, give: () => unknown, sees: Trace): Row =>
  equal(says, served(asked(give), ask), sees);

interface Seen extends Trace {
  /** What the server logged. */
  readonly log: readonly string[];
}

/** Asks once, and looks into the server's log. */
export const askAndLook = async (world: World): Promise<Seen> => ({
  ...(await ask(world)),
  log: logOf(world),
});

/** The same, of a handler that may never answer. */
export async function askOrWait(world: World): Promise<Seen> {
  const seen = await traceBeside(world.client.send('ask', 'please'), world, 'beside');
  return { ...seen, log: logOf(world) };
}

/** The warnings and errors of the server, by their first lines; one of ours by its code, since its text may change. */
export function logOf({ log }: World): string[] {
  return log.troubles.map((text) => /^[A-Z_]{4,}(?=: )/.exec(text)?.[0] ?? text.replace(/\n.*/s, ''));
}

/** Emits each value, and then its end, in a turn of the event loop of its own. */
export function inTurns(...values: unknown[]): Observable<unknown> {
  return new Observable((observer) => {
    const rest = [...values];
    const step = (): void => {
      if (rest.length === 0) {
        observer.complete();
        return;
      }
      observer.next(rest.shift());
      setImmediate(step);
    };
    setImmediate(step);
  });
}
