import { UdsError } from '../protocol/errors.js';
import { Client } from './client.js';
import { ExitCode } from './exit-code.js';
import { sentencesOf } from './next-step.js';
import { complain, jsonLine, oneLine, print, reasonOf } from './terminal.js';
import { TimeLimit } from './time-limits.js';

export interface HealthOptions {
  /** Undefined where the command line does not say. */
  readonly timeoutMs?: number;
  readonly json?: true;
}

/** What a server says of itself. */
interface Health {
  readonly status: 'up';
  readonly name: string;
  readonly pid: number;
  /** What its handler of the pattern `health` answered; undefined where it has none. */
  readonly figures: unknown;
}

/** Asks whether a server answers, and for its figures where it has a handler for them. */
export async function health(path: string, { timeoutMs, json }: HealthOptions): Promise<number> {
  try {
    const found = await ask(path, timeoutMs);
    await print(json === true ? `${jsonLine(found)}\n` : linesOf(found));
    return ExitCode.OK;
  } catch (error) {
    if (json === true) await print(`${jsonLine({ status: 'down', error: wireOf(error) })}\n`);
    else complain(reasonOf(error));
    return ExitCode.FAILED;
  }
}

const wireOf = (error: unknown): unknown =>
  error instanceof UdsError ? { code: error.code, message: sentencesOf(error) } : error;

async function ask(path: string, limitMs: number | undefined): Promise<Health> {
  const client = await Client.connect(path, limitMs);
  const { name = '', pid = 0 } = client.server ?? {};
  try {
    const timeoutMs = limitMs ?? TimeLimit.HEALTH;
    const figures = await client.ask({ pattern: 'health', payload: {}, timeoutMs });
    return { status: 'up', name, pid, figures };
  } catch (error) {
    // An application need not have such a handler; it has answered all the same.
    if (error instanceof UdsError && error.code === 'NO_HANDLER')
      return { status: 'up', name, pid, figures: undefined };
    throw error;
  } finally {
    client.close();
  }
}

function linesOf({ name, pid, figures }: Health): string {
  const who = oneLine(name === '' ? `pid ${pid}` : `${name}, pid ${pid}`);
  if (figures === undefined) return `up: ${who}; it has no handler for the pattern health, so no figures\n`;
  if (!isRecord(figures)) return `up: ${who}; its handler for the pattern health gave no figures\n`;
  const rows = Object.entries(figures).filter(([key]) => key !== 'endpoints' && key !== 'pid');
  const lines = [`up: ${who}`, ...rows.map(([key, value]) => `  ${oneLine(key)}: ${jsonLine(value)}`)];
  const { endpoints } = figures;
  if (Array.isArray(endpoints))
    lines.push('  endpoints:', ...endpoints.map((each) => `    ${jsonLine(each)}`));
  return `${lines.join('\n')}\n`;
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  Object.prototype.toString.call(value) === '[object Object]';
