import { NotFoundException } from '@nestjs/common';
import { RpcException } from '@nestjs/microservices';
import { Buffer } from 'node:buffer';
import { ask, askAndLook, asked, UNKNOWN_ERROR } from '../asked.js';
import { equal, exception, type Row, type Scenario } from '../row.js';
import { fails } from '../trace.js';
import { served, type World } from '../world.js';

class NoStockError extends Error {
  override readonly name = 'NoStockError';
  readonly left = 0;
}

class NoStockException extends RpcException {
  override getError(): object {
    return { left: 0 };
  }
}

/** What a handler throws, what its caller gets of it, and what the server logs. */
const thrown = (says: string, error: () => unknown, told: unknown, ...log: string[]): Row =>
  equal(
    says,
    served(
      asked(() => {
        throw error();
      }),
      askAndLook,
    ),
    { ...fails(told), log },
  );

const unknown: Row[] = [
  thrown('a handler that throws an Error', () => new Error('no stock'), UNKNOWN_ERROR, 'no stock'),
  thrown(
    'a handler that throws a subclass of Error with fields of its own',
    () => new NoStockError('no tea'),
    UNKNOWN_ERROR,
    'no tea',
  ),
  thrown(
    'a handler that throws an Error with a cause',
    () => new Error('no tea', { cause: 'rain' }),
    UNKNOWN_ERROR,
    'no tea',
  ),
  thrown('a handler that throws a string', () => 'no stock', UNKNOWN_ERROR, 'no stock'),
  thrown('a handler that throws a number', () => 404, UNKNOWN_ERROR, '404'),
  thrown('a handler that throws null', () => null, UNKNOWN_ERROR, 'null'),
  thrown('a handler that throws undefined', () => undefined, UNKNOWN_ERROR, 'undefined'),
  thrown(
    'a handler that throws a plain object',
    () => ({ message: 'no stock', left: 0 }),
    UNKNOWN_ERROR,
    'no stock',
  ),
  thrown(
    'a handler that throws an HttpException: it is not logged',
    () => new NotFoundException('no tea'),
    UNKNOWN_ERROR,
  ),
];

const meant: Row[] = [
  thrown('an RpcException with a string', () => new RpcException('no stock'), {
    status: 'error',
    message: 'no stock',
  }),
  thrown('an RpcException with an empty string', () => new RpcException(''), {
    status: 'error',
    message: '',
  }),
  thrown('an RpcException with an object', () => new RpcException({ left: 0, of: ['tea'] }), {
    left: 0,
    of: ['tea'],
  }),
  thrown('an RpcException with an array', () => new RpcException(['no', 'tea']), ['no', 'tea']),
  thrown('an RpcException with an Error', () => new RpcException(new Error('no tea')), {}),
  thrown(
    'an RpcException with an Error that has fields',
    () => new RpcException(Object.assign(new Error('no tea'), { left: 0 })),
    { left: 0 },
  ),
  thrown(
    'a subclass of RpcException that decides itself what it tells',
    () => new NoStockException('no stock'),
    {
      left: 0,
    },
  ),
  thrown(
    "an RpcException with `{ code: 'NO_HANDLER' }` arrives verbatim",
    () => new RpcException({ code: 'NO_HANDLER', message: 'no tea', isDisposed: false }),
    { code: 'NO_HANDLER', message: 'no tea', isDisposed: false },
  ),
];

/** Bytes as they are seen in a test's output. */
const bytesOf = async (world: World): Promise<unknown> => {
  const { end } = await ask(world);
  if (typeof end === 'string' || !Buffer.isBuffer(end.error)) return end;
  return `the Buffer ${end.error.toString()}`;
};

export const errors: Scenario = {
  title: 'What a handler throws',
  rows: [
    ...unknown,
    ...meant,
    exception(
      'an RpcException with a Buffer',
      served(
        asked(() => Promise.reject(new RpcException(Buffer.from('no tea')))),
        bytesOf,
      ),
      {
        tcp: {
          says: 'arrives as `{ type, data }`',
          sees: { error: { type: 'Buffer', data: [110, 111, 32, 116, 101, 97] } },
        },
        uds: { says: 'arrives as a Buffer', sees: 'the Buffer no tea' },
        because: 'Bytes at the top level travel as they are, in an error too.',
      },
    ),
  ],
};
