import { Logger } from '@nestjs/common';

/**
 * Writes to the application's logger. That may throw, and nothing that a peer does or the system asks for must end in it: calls
 * beside it would be lost, or the process. It costs its line, since nobody is left who could be told.
 */
export class SafeLogger extends Logger {
  override log(message: unknown): void {
    attempt(() => super.log(message));
  }

  override warn(message: unknown): void {
    attempt(() => super.warn(message));
  }

  override error(message: unknown): void {
    attempt(() => super.error(message));
  }

  override debug(message: unknown): void {
    attempt(() => super.debug(message));
  }
}

function attempt(write: () => void): void {
  try {
    write();
  } catch {
    // See above.
  }
}
