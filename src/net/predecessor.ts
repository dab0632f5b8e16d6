import { setTimeout as delay } from 'node:timers/promises';
import type { Dialect } from '../protocol/dialects/dialect.js';
import { errorOf, UdsError, type UdsErrorCode } from '../protocol/errors.js';
import type { Connection, ConnectionOwner } from './connection.js';
import type { ConnectionSettings } from './connection-owner.js';
import { dial } from './dialer.js';

/** A killed process closes its files one after another, in less than this on a busy machine; a few more looks cost nobody a start. */
const DYING_MS = 20;
const MAX_ASKED_AGAIN = 3;

/** What is told of a path on which nobody lives. */
const NOBODY: readonly UdsErrorCode[] = ['CONNECTION_REFUSED', 'SERVER_NOT_FOUND', 'NOT_A_SOCKET'];

/** Why one that lives can't be told to leave, as far as its answer to a hello tells. */
const WHY_NOT: Partial<Record<UdsErrorCode, string>> = {
  HELLO_TIMEOUT: 'it hangs, or takes longer than probeTimeoutMs to answer',
  SERVER_BUSY: 'it hangs, or its queue of connections is full',
  HELLO_LOST: 'it hangs up, as one does that has no connection left (option maxConnections)',
  VERSION_MISMATCH: 'it speaks no version of the protocol that this one speaks',
};

const ignore = (): void => undefined;

/** Who lives on a socket file, with the connection on which it was asked, where it answered. */
export class Predecessor {
  #connection: Connection | undefined;
  readonly #left: Promise<void>;
  #hasLeft: () => void = ignore;
  /** Why there is no connection. */
  private failure: UdsError | undefined;

  private constructor() {
    this.#left = new Promise((resolve) => {
      this.#hasLeft = resolve;
    });
  }

  /**
   * Asks an existing socket file who lives there: an answer, silence and a full queue all mean that somebody does.
   *
   * @param dialect what is spoken there, as far as one can know; where it is left out a hello is said.
   * @returns undefined where nobody does.
   * @throws PERMISSION_DENIED where nobody can tell.
   */
  static async meet(
    path: string,
    settings: ConnectionSettings,
    timeoutMs: number,
    dialect?: Dialect,
  ): Promise<Predecessor | undefined> {
    const ask = async (): Promise<Predecessor | undefined> => {
      const met = new Predecessor();
      try {
        await dial(path, { ...settings, role: 'client' }, met.#owner(), timeoutMs, undefined, dialect);
      } catch (error) {
        if (!(error instanceof UdsError)) throw error;
        if (NOBODY.includes(error.code)) return undefined;
        if (error.code === 'PERMISSION_DENIED') throw error;
        met.failure = error;
      }
      return met;
    };
    let met = await ask();
    // One that dies as it is asked hangs up too, and lives no more once the last of its files is closed.
    for (let again = 0; met?.failure?.code === 'HELLO_LOST' && again < MAX_ASKED_AGAIN; again += 1) {
      await delay(DYING_MS);
      met = await ask();
    }
    return met;
  }

  /** What people know it by. */
  get who(): string {
    const pid = this.#connection?.session.peer?.pid;
    return pid ? `process ${pid}` : 'a process that did not say who it is';
  }

  /** Whether it can be told that its place was taken. */
  get canBeTold(): boolean {
    return this.#connection?.session.canTakeOver === true;
  }

  /** What people can do nothing about but to stop it. */
  get whyNot(): string {
    if (this.failure === undefined) return 'it is of a version that knows no takeover, or leaves already';
    return WHY_NOT[this.failure.code] ?? `it is of another kind (${this.failure.code})`;
  }

  /** Tells it that its socket file is about to be replaced: should this process die behind that, it looks by itself. */
  announce(): void {
    this.#connection?.session.takeOver();
    // Into the kernel, which keeps it where this process dies.
    this.#connection?.flush();
  }

  /** Ends the conversation; it stays where it is. */
  letBe(): void {
    this.#connection?.leave();
  }

  /**
   * Tells it that its socket file was replaced, so that it finishes what it has and goes.
   *
   * @throws TAKEOVER_TIMEOUT where it does not begin to go within the time. The words wait for it: it goes once it reads them.
   */
  async tellToLeave(timeoutMs: number): Promise<void> {
    this.announce();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(takeoverTimeout(this.who, timeoutMs)), timeoutMs).unref();
    });
    try {
      await Promise.race([this.#left, late]);
    } finally {
      clearTimeout(timer);
      this.#connection?.leave();
    }
  }

  #owner(): ConnectionOwner {
    return {
      opened: (connection) => {
        this.#connection = connection;
      },
      called: ignore,
      refused: ignore,
      takenOver: ignore,
      left: () => this.#hasLeft(),
      freed: ignore,
      closed: () => this.#hasLeft(),
    };
  }
}

function takeoverTimeout(who: string, timeoutMs: number): UdsError {
  return errorOf(
    'TAKEOVER_TIMEOUT',
    `The server that was replaced (${who}) has not begun to leave within ${timeoutMs} ms (option probeTimeoutMs): it hangs. Its connections stay with it until it goes on or is ended.`,
  );
}
