import {
  type ArgumentsHost,
  type CanActivate,
  Catch,
  Controller,
  type ExceptionFilter,
  Injectable,
  ParseIntPipe,
  UseFilters,
  UseGuards,
} from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { BaseRpcExceptionFilter, MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import { concat, of, throwError } from 'rxjs';
import { askAndLook, UNKNOWN_ERROR } from '../asked.js';
import { filter, filtered } from '../filtered.js';
import { equal, type Row, type Scenario } from '../row.js';
import { fails, show, trace } from '../trace.js';
import { Journal, served } from '../world.js';

class TeaError extends Error {}
class GreenTeaError extends TeaError {}

@Catch(TeaError)
class TeaFilter implements ExceptionFilter {
  catch(error: TeaError): unknown {
    return throwError(() => `tea: ${error.message}`);
  }
}

@Catch(RangeError, RpcException)
class RangeFilter implements ExceptionFilter {
  catch(error: unknown): unknown {
    return throwError(() => `range: ${String(show(error))}`);
  }
}

/** Leaves it to Nest, under another text. */
@Catch(TeaError)
class RenamingFilter extends BaseRpcExceptionFilter {
  override catch(error: TeaError, host: ArgumentsHost): ReturnType<BaseRpcExceptionFilter['catch']> {
    return super.catch(new RpcException(`renamed ${error.message}`), host);
  }
}

@Catch()
@Injectable()
class NotingFilter implements ExceptionFilter {
  constructor(private readonly journal: Journal) {}

  catch(error: unknown, host: ArgumentsHost): unknown {
    const rpc = host.switchToRpc();
    const pattern = rpc.getContext<{ getPattern(): string }>().getPattern();
    this.journal.note([host.getType(), rpc.getData(), pattern, show(error)]);
    return throwError(() => 'noted');
  }
}

class Refusing implements CanActivate {
  canActivate(): boolean {
    return false;
  }
}

class Throwing implements CanActivate {
  canActivate(): never {
    throw new TeaError('at the guard');
  }
}

@UseFilters(NotingFilter)
@Controller()
class Guarded {
  @MessagePattern('fails')
  fails(): never {
    throw new TeaError('at the handler');
  }

  @UseGuards(Refusing)
  @MessagePattern('refuses')
  refuses(): string {
    return 'never';
  }

  @UseGuards(Throwing)
  @MessagePattern('throws')
  throws(): string {
    return 'never';
  }

  @MessagePattern({ cmd: 'counts' })
  counts(@Payload(ParseIntPipe) count: number): number {
    return count;
  }
}

/** What a filter that is injected with the journal sees of an error. */
const noted = (says: string, pattern: unknown, ...entry: unknown[]): Row =>
  equal(
    says,
    served({ controllers: [Guarded] }, async ({ client, journal }) => ({
      trace: await trace(client.send(pattern, 'tea')),
      notes: journal.notes,
    })),
    { trace: fails('noted'), notes: [entry] },
  );

type Filters = Parameters<typeof filtered>[0];

const named = (name: string): ExceptionFilter => filter((error) => throwError(() => [name, show(error)]));

/** What the caller is told of an error behind some filters; `log` is what the server logs. */
const told = (says: string, filters: Filters, error: Error, sees: unknown, ...log: string[]): Row =>
  equal(
    says,
    served(
      filtered(filters, () => Promise.reject(error)),
      askAndLook,
    ),
    { ...fails(sees), log },
  );

const places: Row[] = [
  told('a filter at the method', { method: [named('method')] }, new Error('x'), ['method', 'Error: x']),
  told('a filter at the controller', { controller: [named('controller')] }, new Error('x'), [
    'controller',
    'Error: x',
  ]),
  told('a global filter, by `useGlobalFilters`', { app: [named('app')] }, new Error('x'), [
    'app',
    'Error: x',
  ]),
  equal(
    'a global filter, by `APP_FILTER`',
    served(
      {
        ...filtered({}, () => Promise.reject(new Error('x'))),
        providers: [{ provide: APP_FILTER, useValue: named('provided') }],
      },
      askAndLook,
    ),
    { ...fails(['provided', 'Error: x']), log: [] },
  ),
  told(
    'filters at method, controller and application: only the nearest runs',
    { method: [named('method')], controller: [named('controller')], app: [named('app')] },
    new Error('x'),
    ['method', 'Error: x'],
  ),
  told(
    "the method's filter does not match: the controller's takes it",
    { method: [new TeaFilter()], controller: [named('controller')], app: [named('app')] },
    new Error('x'),
    ['controller', 'Error: x'],
  ),
];

const kinds: Row[] = [
  told(
    '`@Catch(Class)` takes an error of that class',
    { method: [new TeaFilter()] },
    new TeaError('no'),
    'tea: no',
  ),
  told('`@Catch(Base)` takes a subclass', { method: [new TeaFilter()] }, new GreenTeaError('no'), 'tea: no'),
  told(
    "`@Catch(Class)` leaves another error to Nest's own filter",
    { method: [new TeaFilter()] },
    new Error('no'),
    UNKNOWN_ERROR,
    'no',
  ),
  told(
    'several filters, each with classes of its own: the one that matches runs',
    { method: [new TeaFilter(), new RangeFilter()] },
    new RpcException('far'),
    'range: Error: far',
  ),
  told(
    'several filters that match at one place: the last one runs',
    { method: [named('first'), named('last')] },
    new Error('x'),
    ['last', 'Error: x'],
  ),
  told(
    'a filter that extends BaseRpcExceptionFilter',
    { method: [new RenamingFilter()] },
    new TeaError('tea'),
    {
      status: 'error',
      message: 'renamed tea',
    },
  ),
];

const stages: Row[] = [
  noted(
    "a filter that takes a handler's error: it sees payload and pattern",
    'fails',
    'rpc',
    'tea',
    'fails',
    'Error: at the handler',
  ),
  noted(
    "a filter that takes a guard's refusal",
    'refuses',
    'rpc',
    'tea',
    'refuses',
    'Error: Forbidden resource',
  ),
  noted("a filter that takes a guard's error", 'throws', 'rpc', 'tea', 'throws', 'Error: at the guard'),
  noted(
    "a filter that takes a pipe's error: it sees an object pattern",
    { cmd: 'counts' },
    'rpc',
    'tea',
    '{"cmd":"counts"}',
    'BadRequestException: Validation failed (numeric string is expected)',
  ),
  equal(
    'a filter that takes the error of an Observable, after two values',
    served(
      filtered({ method: [new TeaFilter()] }, () =>
        concat(
          of(1, 2),
          throwError(() => new TeaError('late')),
        ),
      ),
      askAndLook,
    ),
    { ...fails('tea: late', 1, 2), log: [] },
  ),
];

export const filters: Scenario = { title: 'Exception filters', rows: [...places, ...kinds, ...stages] };
