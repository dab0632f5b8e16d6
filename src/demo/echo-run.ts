import type { EchoClient } from '../echo/echo.client.js';

/** How long one echo may take. */
const ECHO_LIMIT_MS = 10_000;

/** How it went, where every message came back as it was sent. */
export interface EchoTimes {
  readonly count: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly perSecond: number;
}

interface EchoRun {
  readonly text: string;
  readonly count: number;
  readonly inFlight: number;
  readonly stop: AbortSignal;
}

/**
 * Sends `count` different messages, so many in flight at a time, and compares each echo.
 *
 * @throws Error at the first echo that is wrong or missing.
 */
export async function echoMany(
  client: EchoClient,
  { text, count, inFlight, stop }: EchoRun,
): Promise<EchoTimes> {
  const timesMs: number[] = [];
  let sent = 0;
  let isBroken = false;
  const sendSome = async (): Promise<void> => {
    while (sent < count && !isBroken && !stop.aborted) {
      sent += 1;
      try {
        timesMs.push((await echoOnce(client, `${text} (${sent})`)).tookMs);
      } catch (error) {
        isBroken = true;
        throw error;
      }
    }
  };
  const beganMs = performance.now();
  await Promise.all(Array.from({ length: inFlight }, sendSome));
  const perSecond = (timesMs.length / (performance.now() - beganMs)) * 1000;
  timesMs.sort((one, other) => one - other);
  const percentile = (share: number): number => timesMs[Math.ceil(timesMs.length * share) - 1] ?? 0;
  return { count: timesMs.length, perSecond, p50Ms: percentile(0.5), p99Ms: percentile(0.99) };
}

/** @throws Error where the echo is wrong or missing. */
export async function echoOnce(
  client: EchoClient,
  message: string,
): Promise<{ echo: string; tookMs: number }> {
  const beganMs = performance.now();
  const echo = await client.echo(message, { timeoutMs: ECHO_LIMIT_MS }).catch((error: unknown) => {
    throw new Error(`"${message}" has no echo. ${reasonOf(error)}`, { cause: error });
  });
  const tookMs = performance.now() - beganMs;
  if (echo !== message) throw new Error(`"${message}" came back as ${JSON.stringify(echo)}.`);
  return { echo, tookMs };
}

/** One line for a person: an error of the transport with its code, a handler's as it came. */
export function reasonOf(error: unknown): string {
  if (typeof error !== 'object' || error === null) return String(error);
  const { code, message } = error as { code?: unknown; message?: unknown };
  if (typeof message !== 'string') return JSON.stringify(error);
  return typeof code === 'string' ? `${code}: ${message}` : message;
}
