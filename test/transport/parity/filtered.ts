import { type ArgumentsHost, Catch, Controller, type ExceptionFilter, UseFilters } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import type { Application } from './world.js';

type Give = (error: unknown, host: ArgumentsHost) => unknown;

/** A filter that does what is given with every error. */
@Catch()
class Filter implements ExceptionFilter {
  constructor(private readonly give: Give) {}

  catch(error: unknown, host: ArgumentsHost): unknown {
    return this.give(error, host);
  }
}

export const filter = (give: Give): ExceptionFilter => new Filter(give);

/** Where filters may stand. */
interface Filters {
  readonly method?: readonly ExceptionFilter[];
  readonly controller?: readonly ExceptionFilter[];
  readonly app?: readonly ExceptionFilter[];
}

/** An application whose handler of `ask` does what is given, behind filters; that of `beside` answers at once. */
export function filtered(
  { method = [], controller = [], app = [] }: Filters,
  answer: () => unknown,
): Application {
  @UseFilters(...controller)
  @Controller()
  class Filtered {
    @UseFilters(...method)
    @MessagePattern('ask')
    ask(@Payload() _payload: unknown): unknown {
      return answer();
    }

    @MessagePattern('beside')
    beside(): string {
      return 'beside';
    }
  }
  return { controllers: [Filtered], prepare: (nest) => nest.useGlobalFilters(...app) };
}
