import { EventEmitter } from 'node:events';
import type { SignalledProcess } from '../../src/transport/uds.shutdown.js';
import { Gate } from './wait.js';

/** A process whose signals a test sends, and whose end does not end the test. */
export class ProcessHost extends EventEmitter implements SignalledProcess {
  readonly codes: number[] = [];
  readonly #exited = new Gate<number>();

  exit(code: number): void {
    this.codes.push(code);
    this.#exited.open(code);
  }

  /** The first exit code, waited for. */
  exitCode(): Promise<number> {
    return this.#exited.within('it exited');
  }
}
