import { BaseRpcExceptionFilter } from '@nestjs/microservices';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';

const defaultFilter = new BaseRpcExceptionFilter();

/**
 * What a caller is told of an error that no exception filter saw: one inside of an async generator, or one that a
 * filter itself threw. Nest's own default filter decides, and logs what is not meant for callers.
 */
export function mapUnfilteredError(error: unknown): unknown {
  let mapped: unknown;
  defaultFilter.catch(error, new ExecutionContextHost([])).subscribe({
    error: (told: unknown) => {
      mapped = told;
    },
  });
  return mapped;
}
