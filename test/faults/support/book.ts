import { Buffer } from 'node:buffer';
import { closeSync, openSync, readSync, writeFileSync } from 'node:fs';

interface Entry {
  /** What there is to say besides, such as a code; '-' for nothing. */
  readonly note: string;
  /** On the clock that all processes of the machine share. */
  readonly atMs: number;
}

const CHUNK_BYTES = 1024 ** 2;
const NOTHING: ReadonlyMap<string, readonly Entry[]> = new Map();

/** Reads what programs/book.mjs writes, in any number of processes: lines of verb, id, note and time. */
export class Book {
  readonly #pages = new Map<string, Map<string, Entry[]>>();
  readonly #chunk = Buffer.alloc(CHUNK_BYTES);
  #readBytes = 0;
  /** A line that was not whole when it was read. */
  #rest = '';

  constructor(readonly path: string) {
    writeFileSync(path, '');
  }

  /** By id, all that was written with a verb so far. */
  of(verb: string): ReadonlyMap<string, readonly Entry[]> {
    this.#readOn();
    return this.#pages.get(verb) ?? NOTHING;
  }

  /** How many ids were written with a verb so far. */
  count(verb: string): number {
    return this.of(verb).size;
  }

  #readOn(): void {
    const file = openSync(this.path, 'r');
    try {
      for (;;) {
        const bytes = readSync(file, this.#chunk, 0, CHUNK_BYTES, this.#readBytes);
        if (bytes === 0) return;
        this.#readBytes += bytes;
        this.#take(this.#chunk.toString('latin1', 0, bytes));
      }
    } finally {
      closeSync(file);
    }
  }

  #take(text: string): void {
    const lines = `${this.#rest}${text}`.split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      const [verb = '', id = '', note = '', at = ''] = line.split(' ');
      const page = this.#pages.get(verb) ?? new Map<string, Entry[]>();
      this.#pages.set(verb, page);
      const entry = { note, atMs: Number(at) };
      const known = page.get(id);
      if (known === undefined) page.set(id, [entry]);
      else known.push(entry);
    }
  }
}
