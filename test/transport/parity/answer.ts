import type { Client } from './kit.js';
import { trace } from './trace.js';

/** What a handler answers; 'nobody' where none does. */
export async function answer(client: Client, pattern: string): Promise<unknown> {
  const { values } = await trace(client.send(pattern, 1));
  return values[0] ?? 'nobody';
}
