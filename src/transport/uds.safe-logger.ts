import { Logger } from '@nestjs/common';

/**
 * Writes to the application's logger. That may throw, and nothing that a peer does or the system asks for must end in it: calls
 * beside it would be lost, or the process. It costs its line, since nobody is left who could be told.
 */
export class SafeLogger extends Logger {
  override log(...line: Parameters<Logger['log']>): void {
    attempt(() => super.log(...line));
  }

  override warn(...line: Parameters<Logger['warn']>): void {
    attempt(() => super.warn(...line));
  }

  override error(...line: Parameters<Logger['error']>): void {
    attempt(() => super.error(...line));
  }

  override debug(...line: Parameters<Logger['debug']>): void {
    attempt(() => super.debug(...line));
  }
}

function attempt(write: () => void): void {
  try {
    write();
  } catch {
    // See above.
  }
}
