import { type LoggerService } from '@nestjs/common';
import { afterThisTest } from './cleanup.js';

interface Line {
  readonly level: 'log' | 'error' | 'warn' | 'debug' | 'verbose' | 'fatal';
  readonly text: string;
}

/** A logger for Nest that keeps what it is given; `overrideLogger` of Nest serves the whole file, so give a fresh one. */
export class RecordedLog implements LoggerService {
  readonly lines: Line[] = [];

  constructor() {
    afterThisTest(() => (this.lines.length = 0));
  }

  /** What is worth a look: warnings and errors. */
  get troubles(): string[] {
    return this.lines.filter(({ level }) => level === 'warn' || level === 'error').map(({ text }) => text);
  }

  log = (message: unknown): void => this.#keep('log', message);
  error = (message: unknown): void => this.#keep('error', message);
  warn = (message: unknown): void => this.#keep('warn', message);
  debug = (message: unknown): void => this.#keep('debug', message);
  verbose = (message: unknown): void => this.#keep('verbose', message);
  fatal = (message: unknown): void => this.#keep('fatal', message);

  #keep(level: Line['level'], message: unknown): void {
    const text =
      typeof message === 'object' && message !== null && 'message' in message ? message.message : message;
    this.lines.push({ level, text: String(text) });
  }
}
