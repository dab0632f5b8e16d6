import type { Child } from '../../support/child.js';
import { order } from './order.js';

/** What a program says of itself when it is told `vitals`; see programs/vitals.mjs. */
export interface Vitals {
  readonly heapBytes: number;
  readonly descriptors: number;
  /** Node's names of what keeps it open. */
  readonly resources: string;
  readonly listeners: number;
}

/** Of vital-server.mjs. */
export interface ServerVitals extends Vitals {
  readonly connections: number;
  readonly callsInFlight: number;
  readonly sockets: number;
  /** Open at once, at any moment so far. */
  readonly mostSockets: number;
  /** What was logged, by code. */
  readonly codes: Readonly<Record<string, number>>;
  /** Lines without a code. */
  readonly others: readonly string[];
}

export async function vitalsOf<T extends Vitals = ServerVitals>(program: Child): Promise<T> {
  const [said] = await order(program, 'vitals', /^{"heapBytes".*\n/gm);
  return JSON.parse(said) as T;
}
