import { Controller } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { lastValueFrom } from 'rxjs';
import { equal, type Row, type See } from './row.js';
import { served } from './world.js';

@Controller()
class Echo {
  @MessagePattern('echo')
  echo(@Payload() data: unknown): unknown {
    return data;
  }
}

export const echoing = { controllers: [Echo] };

type Look = (value: unknown) => unknown;

/** Sends each value there and back, and gives what `look` makes of it then. */
export const thereAndBack = (given: readonly unknown[], look: Look = (value) => value): See =>
  served(echoing, async ({ client }) => {
    const seen: unknown[] = [];
    for (const value of given) seen.push(look(await lastValueFrom(client.send('echo', value))));
    return seen;
  });

/** Values that go there and back, and what they are then. */
export const echoed = (
  says: string,
  given: readonly unknown[],
  sees: readonly unknown[] = given,
  look?: Look,
): Row => equal(says, thereAndBack(given, look), sees);
