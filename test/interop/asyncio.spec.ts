import { beforeEach, describe, expect } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { Ctx, EventPattern, MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import { from, Observable } from 'rxjs';
import { UdsContext } from '../../src/index.js';
import { serve } from '../support/nest.js';
import { Gate, until } from '../support/wait.js';
import { itWith, runPython } from './programs.js';

const itPython = itWith('python3');

let lastTurn = new Gate();
let started = new Gate();
let stopped = new Gate();
let ended = new Gate();
let noted: unknown[] = [];
let traces: unknown[] = [];

beforeEach(() => {
  [lastTurn, started, stopped, ended] = [new Gate(), new Gate(), new Gate(), new Gate()];
  noted = [];
  traces = [];
});

@Controller()
class Answers {
  @MessagePattern('echo')
  echo(@Payload() data: unknown): unknown {
    return data;
  }

  /** The first one is answered once the third has come. */
  @MessagePattern('turn')
  async turn(@Payload() turn: number): Promise<number> {
    if (turn === 2) lastTurn.open();
    if (turn === 0) await lastTurn.opened;
    return turn;
  }

  @MessagePattern({ cmd: 'sum' })
  sum(@Payload() numbers: number[], @Ctx() context: UdsContext): number {
    traces.push(context.getMetadata());
    return numbers.reduce((sum, number) => sum + number, 0);
  }

  @MessagePattern('count')
  count(@Payload() count: number): Observable<number> {
    return from(Array.from({ length: count }, (_, index) => index));
  }

  @MessagePattern('refuse')
  refuse(): never {
    throw new RpcException({ status: 'error', message: 'no stock' });
  }

  @MessagePattern('endless')
  endless(@Payload() data: unknown): Observable<never> {
    return new Observable(() => {
      if (data === 'cancelled') started.open();
      return () => {
        if (data === 'cancelled') stopped.open();
      };
    });
  }

  @MessagePattern('started')
  async started(): Promise<boolean> {
    await started.opened;
    return true;
  }

  @MessagePattern('stopped')
  async stopped(): Promise<boolean> {
    await stopped.opened;
    return true;
  }

  @MessagePattern('after-end')
  async afterEnd(): Promise<string> {
    await ended.opened;
    return 'answered';
  }

  @EventPattern('noted')
  note(@Payload() data: unknown): void {
    noted.push(data);
  }
}

describe('a client made with asyncio', () => {
  itPython('makes calls side by side, reads streams, cancels, and is answered after its end', async () => {
    const { path, server, log } = await serve([Answers]);
    let inputEnds = 0;
    // The handler is held back until the client has said its end, so that the answer certainly comes behind it.
    server.on('connection', (socket) =>
      socket.on('end', () => {
        inputEnds += 1;
        ended.open();
      }),
    );
    const client = runPython('ndjson_client.py', path);
    expect([await client.exit(), client.stderr]).toEqual([0, '']);
    const lines = client.text.trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      { turns: [0, 1, 2] },
      { sum: { response: 6 } },
      { text: { response: 'Zażółć 😀' } },
      { bytes: true },
      { refused: { error: { status: 'error', message: 'no stock' } } },
      { missing: 'NO_HANDLER' },
      { late: 'DEADLINE_EXCEEDED' },
      { stream: [{ next: 0 }, { next: 1 }, { response: 2 }] },
      { cancelled: { response: true }, told: 0 },
      { last: { response: 'answered' } },
      { ended: true },
    ]);
    expect(inputEnds).toBe(1);
    expect(traces).toEqual([{ trace: 'a1' }]);
    await until(() => noted.length === 1, 'the event ran');
    expect(noted).toEqual([{ line: 1 }]);
    expect(log.troubles).toEqual([expect.stringMatching(/^NO_HANDLER: .*"missing"/)]);
  });
});

describe('ten lines of Python', () => {
  itPython.each(['hello', 'Zażółć 😀', ''])('give back what is echoed: %j', async (text) => {
    const { path } = await serve([Answers]);
    const echo = runPython('echo.py', path, text);
    expect([await echo.exit(), echo.stderr, echo.text]).toEqual([0, '', `${text}\n`]);
  });
});
