import { openSync, writeSync } from 'node:fs';

/**
 * Writes down what happens, a line each: verb, id, note, time. What was written stays, however the process ends, and
 * several processes may write to one file: each line is one write to its end.
 */
export class Book {
  #file;

  constructor(path) {
    this.#file = openSync(path, 'a');
  }

  write(verb, id, note = '-') {
    writeSync(this.#file, `${verb} ${id} ${note} ${Date.now()}\n`);
  }
}
