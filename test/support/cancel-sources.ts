import {
  filter,
  firstValueFrom,
  type Observable,
  Subject,
  take,
  takeUntil,
  timeout,
  VirtualTimeScheduler,
} from 'rxjs';
import { type UdsClient, UdsRecordBuilder } from '../../src/index.js';

/** A call, and how its caller leaves it. */
interface Open {
  /** Does nothing where the caller leaves by itself, with the first value. */
  leave(): void;
  /** What the caller was told at the end. */
  readonly heard: readonly string[];
}

export interface Source {
  readonly name: string;
  readonly open: (client: UdsClient, pattern: string) => Open;
  /** What the caller is to be told at the end. */
  readonly hears: readonly string[];
  readonly needsValues?: true;
}

const DATA = 'x';
const nothing = (): void => undefined;

/** The code of one of our errors, the name of one of rxjs, the message of one's own. */
function label(error: unknown): string {
  const { code, name, message } = error as { code?: string; name: string; message: string };
  return code ?? (name === 'Error' ? message : name);
}

function subscribe(answers: Observable<unknown>, leave: () => void = nothing): Open {
  const heard: string[] = [];
  answers.subscribe({
    error: (error: unknown) => heard.push(label(error)),
    complete: () => heard.push('complete'),
  });
  return { leave, heard };
}

function settle(reading: Promise<unknown>, leave: () => void = nothing): Open {
  const heard: string[] = [];
  reading.then(
    () => heard.push('end'),
    (error: unknown) => heard.push(label(error)),
  );
  return { leave, heard };
}

async function lastOf(values: AsyncIterable<unknown>): Promise<unknown> {
  let last: unknown;
  for await (const value of values) last = value;
  return last;
}

function unsubscribe(client: UdsClient, pattern: string): Open {
  const heard: string[] = [];
  const tell = (): void => void heard.push('told');
  const subscription = client.send(pattern, DATA).subscribe({ error: tell, complete: tell });
  return { leave: () => subscription.unsubscribe(), heard };
}

function until(client: UdsClient, pattern: string): Open {
  const stop = new Subject<void>();
  return subscribe(client.send(pattern, DATA).pipe(takeUntil(stop)), () => stop.next());
}

/** Its clock stands still until the test lets the time pass. */
function timesOut(client: UdsClient, pattern: string): Open {
  const clock = new VirtualTimeScheduler();
  const answers = client.send(pattern, DATA).pipe(
    filter(() => false),
    timeout({ first: 1000, scheduler: clock }),
  );
  return subscribe(answers, () => clock.flush());
}

function abort(client: UdsClient, pattern: string): Open {
  const controller = new AbortController();
  const record = new UdsRecordBuilder(DATA).setSignal(controller.signal).build();
  return subscribe(client.send(pattern, record), () => controller.abort());
}

function abortStream(client: UdsClient, pattern: string): Open {
  const controller = new AbortController();
  const record = new UdsRecordBuilder(DATA).setSignal(controller.signal).build();
  return settle(lastOf(client.stream(pattern, record)), () => controller.abort());
}

function returnStream(client: UdsClient, pattern: string): Open {
  const reader = client.stream(pattern, DATA);
  return settle(lastOf(reader), () => void reader.return?.());
}

const loopLeftBy =
  (how: 'break' | 'return' | 'throw') =>
  (client: UdsClient, pattern: string): Open => {
    const read = async (): Promise<unknown> => {
      for await (const value of client.stream(pattern, DATA)) {
        if (how === 'throw') throw new Error('mine');
        if (how === 'return') return value;
        break;
      }
      return undefined;
    };
    return settle(read());
  };

/** Every way in which a caller that lives on leaves a call. */
export const sources: readonly Source[] = [
  { name: 'unsubscribe()', open: unsubscribe, hears: [] },
  { name: 'takeUntil()', open: until, hears: ['complete'] },
  { name: 'timeout()', open: timesOut, hears: ['TimeoutError'] },
  { name: 'an AbortSignal', open: abort, hears: ['CALL_ABORTED'] },
  { name: 'an AbortSignal of stream()', open: abortStream, hears: ['CALL_ABORTED'] },
  { name: 'return() of stream()', open: returnStream, hears: ['end'] },
  {
    name: 'take(1)',
    open: (client, pattern) => subscribe(client.send(pattern, DATA).pipe(take(1))),
    hears: ['complete'],
    needsValues: true,
  },
  {
    name: 'firstValueFrom()',
    open: (client, pattern) => settle(firstValueFrom(client.send(pattern, DATA))),
    hears: ['end'],
    needsValues: true,
  },
  {
    name: 'a loop over stream() left by break',
    open: loopLeftBy('break'),
    hears: ['end'],
    needsValues: true,
  },
  {
    name: 'a loop over stream() left by return',
    open: loopLeftBy('return'),
    hears: ['end'],
    needsValues: true,
  },
  {
    name: 'a loop over stream() left by throw',
    open: loopLeftBy('throw'),
    hears: ['mine'],
    needsValues: true,
  },
];
