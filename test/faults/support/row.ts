import { appendFileSync } from 'node:fs';
import type { Book } from './book.js';

interface RowFacts {
  readonly fault: string;
  /** Of the test. */
  readonly title: string;
  readonly promise: string;
  readonly codes: readonly string[];
}

export interface Counts {
  /** Calls and events that the fault could have hurt. */
  readonly atRisk: number;
  /** What was promised and never ran, or never settled. */
  readonly lost: number;
  /** What ran, or ended, more than once. */
  readonly doubled: number;
  /** What was answered with something that is not its own answer. */
  readonly wrong: number;
}

/** How a client's book says that something is over. */
const OUTCOMES = ['answered', 'mistaken', 'failed', 'sent', 'unsent'];

/** One row of the table. The reporter, in another context of the same run, reads it from a file. */
export class Row {
  #counts: Counts = { atRisk: 0, lost: 0, doubled: 0, wrong: 0 };
  #codes = new Map<string, number>();
  readonly #said: string[] = [];
  #isOver = false;

  constructor(private readonly facts: RowFacts) {}

  /** Why the row fails; nothing where its promise was kept. */
  get complaints(): string[] {
    const { lost, doubled, wrong } = this.#counts;
    const counted = Object.entries({ lost, doubled, wrong }).filter(([, count]) => count > 0);
    const codes = [...this.#codes].filter(([code]) => !this.facts.codes.includes(code));
    return [
      ...counted.map(([what, count]) => `${count} ${what}`),
      ...codes.map(([code, count]) => `${count} failed with ${code}`),
      ...this.#said,
    ];
  }

  /** Counts of what the two books don't show. */
  add(more: Partial<Counts>): void {
    const { atRisk, lost, doubled, wrong } = this.#counts;
    this.#counts = {
      atRisk: atRisk + (more.atRisk ?? 0),
      lost: lost + (more.lost ?? 0),
      doubled: doubled + (more.doubled ?? 0),
      wrong: wrong + (more.wrong ?? 0),
    };
  }

  /** A code that the two books don't show, such as one with which a connection ended. */
  addCode(code: string, count: number): void {
    this.#codes.set(code, (this.#codes.get(code) ?? 0) + count);
  }

  complain(what: string): void {
    this.#said.push(what);
  }

  /** Holds what the clients were told against what the servers ran. */
  count(journal: Book, ledger: Book): void {
    const outcomes = new Map<string, number>();
    for (const verb of OUTCOMES)
      for (const [id, { length }] of ledger.of(verb)) outcomes.set(id, (outcomes.get(id) ?? 0) + length);
    const asked = [...ledger.of('asked').keys(), ...ledger.of('emitted').keys()];
    const sent = [...ledger.of('sent').keys()];
    const runs = [...journal.of('ran').values(), ...journal.of('noted').values()];
    const unasked = [...ledger.of('answered').keys()].filter((id) => !journal.of('ran').has(id));
    this.add({
      atRisk: asked.length,
      lost: countOf(asked, (id) => !outcomes.has(id)) + countOf(sent, (id) => !journal.of('noted').has(id)),
      doubled: countOf(runs, ({ length }) => length > 1),
      wrong:
        ledger.count('mistaken') + countOf([...outcomes.values()], (times) => times > 1) + unasked.length,
    });
    for (const verb of ['failed', 'unsent'])
      for (const [{ note } = { note: '-' }] of ledger.of(verb).values()) this.addCode(note, 1);
  }

  end(): void {
    this.#isOver = true;
    this.record();
  }

  /** Gives the row, as it is now, to the reporter. */
  record(): void {
    const file = process.env['FAULT_ROWS'];
    if (file === undefined) throw new Error('Rows of faults need their reporter: npm run test:faults');
    const { facts, complaints } = this;
    const codes = Object.fromEntries(this.#codes);
    const row = { ...facts, ...this.#counts, codes, complaints, isOver: this.#isOver };
    appendFileSync(file, `${JSON.stringify(row)}\n`);
  }
}

const countOf = <T>(items: readonly T[], holds: (item: T) => boolean): number => items.filter(holds).length;
