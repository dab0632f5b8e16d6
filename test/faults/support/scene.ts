import { join } from 'node:path';
import type { UdsServerSettings } from '../../../src/index.js';
import { type Child, startNode } from '../../support/child.js';
import { tempFolder } from '../../support/temp.js';
import { until } from '../../support/wait.js';
import { Book } from './book.js';
import type { Row } from './row.js';

/** A program that is killed leaves its socket file. A lock that somebody left fails the row. */
const MAY_LEAVE = /^(app\.sock|raw\.sock|journal|ledger)$/;

/** Where one fault takes place: a folder, a path, and what servers and clients write down. */
export class Scene {
  readonly #folder = tempFolder({ mayLeave: MAY_LEAVE });
  readonly path = join(this.#folder, 'app.sock');
  /** Of an endpoint for plain bytes, where the fault is about that too. */
  readonly rawPath = join(this.#folder, 'raw.sock');
  /** What servers ran, and what of it came to which end. */
  readonly journal = new Book(join(this.#folder, 'journal'));
  /** What clients asked for, and what they were told. */
  readonly ledger = new Book(join(this.#folder, 'ledger'));

  /** @param limitMs how long its processes may live; undefined is what they always may. */
  constructor(
    readonly row: Row,
    private readonly limitMs?: number,
  ) {}

  /** A server of the path that has started, and does not listen before it is told to. */
  startServer(options: Partial<UdsServerSettings> = {}): Child {
    const { path, journal } = this;
    return this.#start('server', { journal: journal.path, options: { path, ...options } });
  }

  /** Has a server that stands by listen; resolves when it serves. */
  async open(server: Child): Promise<Child> {
    await server.says(/^standing by$/m);
    server.write('go\n');
    await server.says(/^ready$/m);
    return server;
  }

  /** Both at once. */
  async serve(options?: Partial<UdsServerSettings>): Promise<Child> {
    return await this.open(this.startServer(options));
  }

  /** Waits until so many more calls are answered. */
  async moreAnswers(count: number): Promise<void> {
    const before = this.ledger.count('answered');
    await until(() => this.ledger.count('answered') - before >= count, `${count} more calls are answered`);
  }

  /** A client program of the path; each has settings of its own. Its standard input takes orders. */
  startClient(program: string, settings: Readonly<Record<string, unknown>> = {}): Child {
    const { path, ledger } = this;
    return this.#start(program, { path, ledger: ledger.path, ...settings });
  }

  /** A server whose memory is watched: V8 takes as much for its young generation on each version of Node (24 would take twice it). */
  startWatched(settings: Readonly<Record<string, unknown>> = {}): Child {
    const { path, rawPath, journal } = this;
    const all = { path, rawPath, journal: journal.path, ...settings };
    return this.#start('vital-server', all, ['--max-semi-space-size=16']);
  }

  #start(program: string, settings: Readonly<Record<string, unknown>>, flags: readonly string[] = []): Child {
    const file = join(import.meta.dirname, '..', 'programs', `${program}.mjs`);
    const { limitMs } = this;
    return startNode([...flags, file, JSON.stringify(settings)], {
      hasInput: true,
      ...(limitMs !== undefined && { limitMs }),
    });
  }
}
