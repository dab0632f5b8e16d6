import { errorOf, UdsError } from '../protocol/errors.js';
import { errnoOf } from './listen-errors.js';
import type { FileState, SocketFile } from './socket-file.js';

export interface WatchOwner {
  troubled(error: UdsError): void;
  /** Makes the file anew; undefined where nobody asked for that. @throws what `bindSocketFile` says */
  readonly recreate: (() => Promise<SocketFile>) | undefined;
}

/**
 * Looks now and then whether the socket file of a living server is still there, and says once when it is not. Looking is
 * one lstat; watching by inotify would miss what happens on some filesystems and to the directory itself.
 */
export class SocketWatch {
  #state: FileState = 'ours';
  /** Whether the last look found another file, of which nothing was said yet. */
  #isSuspect = false;
  #isStopped = false;
  #looking: Promise<void> | undefined;
  readonly #timer: NodeJS.Timeout;

  constructor(
    private file: SocketFile,
    intervalMs: number,
    private readonly owner: WatchOwner,
  ) {
    this.#timer = setInterval(() => {
      this.#looking ??= this.#look().finally(() => (this.#looking = undefined));
    }, intervalMs).unref();
  }

  /** Resolves when nothing is under way any more. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearInterval(this.#timer);
    await this.#looking;
  }

  async #look(): Promise<void> {
    // What can't be looked at, for lack of permission, is not known to be gone.
    const state = await this.file.look().catch(() => this.#state);
    if (this.#isStopped) return;
    // Whoever takes the place of this server tells it so within a moment, and it closes: that is no reason for an alarm.
    const wasSuspect = this.#isSuspect;
    this.#isSuspect = state === 'replaced';
    if (this.#isSuspect && !wasSuspect) return;
    if (state === this.#state && state !== 'gone') return;
    const isNew = state !== this.#state;
    this.#state = state;
    if (isNew && state === 'gone') this.owner.troubled(this.#gone());
    if (isNew && state === 'replaced') this.owner.troubled(this.#replaced());
    if (state === 'gone' && this.owner.recreate !== undefined) await this.#recreate(isNew);
  }

  /** Failures are said once: the next look tries again. */
  async #recreate(isFirst: boolean): Promise<void> {
    try {
      this.file = (await this.owner.recreate?.()) ?? this.file;
      this.#state = 'ours';
    } catch (error) {
      const reason = error instanceof UdsError ? error : errorOf('LISTEN_FAILED', errnoOf(error), error);
      if (isFirst) this.owner.troubled(reason);
    }
  }

  #gone(): UdsError {
    const next =
      this.owner.recreate === undefined
        ? "Nobody new can connect: restart the server, or have it re-created (option onGone: 'recreate')."
        : 'It is made anew.';
    return errorOf(
      'SOCKET_GONE',
      `The socket file ${this.file.path} has gone; open connections live on. ${next}`,
    );
  }

  #replaced(): UdsError {
    return errorOf(
      'SOCKET_REPLACED',
      `Somebody else has put a file at ${this.file.path}, which is left alone; open connections live on. Nobody new reaches this server: stop one of the two.`,
    );
  }
}
