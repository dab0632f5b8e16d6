import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import { BaseRpcExceptionFilter, RpcException } from '@nestjs/microservices';
import { UdsError } from '../protocol/errors.js';

/** What Nest's default filter tells of an error that is not meant for callers. */
const UNKNOWN_ERROR = { status: 'error', message: 'Internal server error' };

const defaultFilter = new BaseRpcExceptionFilter();

/**
 * What a caller is told of an error that no exception filter saw: one inside of an async generator, or one that a
 * filter itself threw. Nest's own default filter decides, and logs what is not meant for callers.
 */
export function mapUnfilteredError(error: unknown): unknown {
  let mapped: unknown = UNKNOWN_ERROR;
  try {
    defaultFilter.catch(error, new ExecutionContextHost([])).subscribe({
      error: (told: unknown) => {
        mapped = told;
      },
    });
  } catch {
    // Something was thrown that throws when it is looked at, such as a revoked Proxy.
  }
  return mapped;
}

/** Whether an error says no more than that a signal aborted: its reason, or what Node's own functions make of it. */
export function isAbort(error: unknown): boolean {
  try {
    return error instanceof UdsError || (error as { name?: unknown } | undefined)?.name === 'AbortError';
  } catch {
    // Something was thrown that throws when it is looked at.
    return false;
  }
}

/** Whether an error is one that an application means for its callers. */
export function isRpcException(error: unknown): boolean {
  try {
    return error instanceof RpcException;
  } catch {
    return false;
  }
}
