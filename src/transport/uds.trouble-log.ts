import type { LoggerService } from '@nestjs/common';
import type { Connection } from '../net/connection.js';
import type { UdsError } from '../protocol/errors.js';
import { quote } from '../protocol/quote.js';

export interface TroubleLogSettings {
  /** Lines of one code in one window; further ones are counted. */
  readonly maxLogLinesPerCode: number;
  /** How long a window is, from the first line in it. */
  readonly logWindowMs: number;
}

type Level = 'debug' | 'warn' | 'error';

/** Codes of lines that are no UdsError's. */
type OtherCode = 'NO_EVENT_HANDLER' | 'UNFILTERED_ERROR';

/** What was logged and counted of one code since its window began. */
interface Window {
  readonly timer: NodeJS.Timeout;
  lines: number;
  counted: number;
  /** Of what was counted the last one: its level and its text. */
  level: Level;
  last: string;
}

/**
 * The log of what peers cause. A peer may cause as much as it can write, and a line costs a server more than that costs the
 * peer: so the first lines of each code are written, and of those behind them one, with their number, when the window ends.
 * What it keeps is one entry a code.
 */
export class TroubleLog {
  readonly #windows = new Map<string, Window>();

  constructor(
    private readonly logger: Required<Pick<LoggerService, Level>>,
    private readonly settings: TroubleLogSettings,
  ) {}

  /** What the peer chose is quoted, so that it can't forge lines. */
  troubled(error: UdsError, connection: Connection | undefined, pattern?: string): void {
    const { code, message } = error;
    const peer = connection?.session.peer;
    const who = peer === undefined ? '' : ` (client ${quote(peer.name)}, pid ${peer.pid})`;
    const text = `${message}${pattern === undefined ? '' : ` (pattern ${quote(pattern)})`}${who}`;
    // A client that leaves with calls in flight is its own affair; what broke a rule is worth a look.
    this.#add(code, code === 'CONNECTION_LOST' ? 'debug' : 'warn', text, `${code}: ${text}`);
  }

  /** @param line as Nest's own servers have it. */
  noEventHandler(line: string): void {
    this.#add('NO_EVENT_HANDLER', 'error', line, line);
  }

  /** What got past Nest's filters where nobody can be told, logged as Nest does it: with its stack. */
  failed(error: unknown): void {
    this.#add('UNFILTERED_ERROR', 'error', quote(messageOf(error)), error);
  }

  /** Says now what was counted: nobody may be there when the windows end. */
  flush(): void {
    for (const code of [...this.#windows.keys()]) this.#end(code);
  }

  /** @param line what is written while there is room for it; `text` is what is told of it later. */
  #add(code: UdsError['code'] | OtherCode, level: Level, text: string, line: unknown): void {
    const window = this.#windows.get(code) ?? this.#begin(code, level);
    if (window.lines < this.settings.maxLogLinesPerCode) {
      window.lines += 1;
      this.logger[level](line);
      return;
    }
    window.counted += 1;
    window.level = level;
    window.last = text;
  }

  #begin(code: string, level: Level): Window {
    const timer = setTimeout(() => this.#end(code), this.settings.logWindowMs).unref();
    const window = { timer, lines: 0, counted: 0, level, last: '' };
    this.#windows.set(code, window);
    return window;
  }

  #end(code: string): void {
    const window = this.#windows.get(code);
    if (window === undefined) return;
    clearTimeout(window.timer);
    this.#windows.delete(code);
    const { counted, level, last } = window;
    if (counted === 0) return;
    const seconds = this.settings.logWindowMs / 1000;
    const more = `${counted.toLocaleString('en')} more like this`;
    this.logger[level](`${code}: ${more} in the last ${seconds} s; the last one: ${last}`);
  }
}

/** Whatever was thrown, looking at it does not throw. */
function messageOf(error: unknown): string {
  try {
    return String((error as { readonly message?: unknown } | undefined)?.message ?? error);
  } catch {
    return 'something that can not be shown';
  }
}
