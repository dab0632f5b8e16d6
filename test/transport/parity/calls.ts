import type { BaseRpcContext } from '@nestjs/microservices';
import { fails, trace, type Trace } from './trace.js';
import type { World } from './world.js';

/** What the contexts of both transports have. */
export interface Context extends BaseRpcContext {
  getPattern(): string;
  getMetadata(): Readonly<Record<string, string>> | undefined;
}

/** What Nest's default filter makes of a text that is meant for callers. */
export const refused = (message: string): Trace => fails({ status: 'error', message });

/** What it makes of an error that is not meant for callers. */
export const INTERNAL = refused('Internal server error');

/** What a caller is told where a guard said no. */
export const FORBIDDEN = refused('Forbidden resource');

/** What a subscriber sees of a message. */
export function ask({ client }: World, pattern: unknown, data: unknown = 'x'): Promise<Trace> {
  return trace(client.send(pattern, data));
}

/**
 * Emits an event, and lets its handlers run: a message that was sent behind it has been answered. Its handler,
 * `behind`, must wait for as many guards and pipes as those of the event.
 */
export async function tell(world: World, event: unknown, data: unknown, behind: unknown): Promise<Trace> {
  const sent = await trace(world.client.emit(event, data));
  await ask(world, behind, 'behind');
  return sent;
}

const NO_HANDLER: readonly unknown[] = [
  'There is no matching message handler defined in the remote service.',
  'RemoteError NO_HANDLER',
];

/** What a handler answered, or 'nobody' where there is none: how a caller is told so is a row of its own. */
export async function answerTo(world: World, pattern: unknown, data?: unknown): Promise<unknown> {
  const { values, end } = await ask(world, pattern, data);
  if (typeof end !== 'object') return values[0];
  return NO_HANDLER.includes(end.error) ? 'nobody' : end.error;
}
