import { createServer, type Server, type Socket } from 'node:net';
import { DialectMenu } from '../protocol/dialects/detect.js';
import type { DialectName } from '../protocol/dialects/dialect.js';
import { RawClientDialect } from '../protocol/dialects/raw.js';
import { errorOf, UdsError } from '../protocol/errors.js';
import { ConnectionLimit, type ConnectionLimitSettings } from './connection-limit.js';
import type { ConnectionSettings } from './connection-owner.js';
import { errnoOf } from './listen-errors.js';
import { Predecessor } from './predecessor.js';
import {
  bindSocketFile,
  type BoundSocketFile,
  type SocketFile,
  type SocketFileSettings,
} from './socket-file.js';
import { SocketWatch } from './socket-watch.js';

/** What to do where a live server has the path. */
export type OnLive = 'refuse' | 'takeover';
/** What to do where the socket file is gone while its server lives. */
export type OnGone = 'warn' | 'recreate';

/** One of the places where a server is reached. */
export interface EndpointPlace {
  readonly path: string;
  /** Permission bits of the socket file; connecting needs the write bit. */
  readonly mode: number;
  /** What is spoken there; `raw` stands alone. */
  readonly dialects: readonly DialectName[];
  /** What the bytes of `raw` are the payload of. */
  readonly pattern?: string | undefined;
}

export interface EndpointSettings
  extends ConnectionSettings, ConnectionLimitSettings, Omit<SocketFileSettings, 'path' | 'mode'> {
  readonly onLive: OnLive;
  readonly onGone: OnGone;
  /** How long a server that is there already may take to say who it is, and that it leaves. */
  readonly probeTimeoutMs: number;
  /** How often it is looked whether the socket file is still there; 0 is never. */
  readonly fileCheckIntervalMs: number;
}

/** Who takes the connections of an endpoint, and hears of its troubles. */
export interface EndpointOwner {
  accepted(socket: Socket, endpoint: Endpoint): void;
  troubled(error: UdsError): void;
}

/** One socket file, what is spoken there, and the server that listens on it. */
export class Endpoint {
  readonly server: Server;
  readonly menu: DialectMenu;
  readonly connections: ConnectionLimit;
  #predecessor: Predecessor | undefined;
  #bound: BoundSocketFile | undefined;
  #file: SocketFile | undefined;
  #watch: SocketWatch | undefined;

  constructor(
    readonly place: EndpointPlace,
    private readonly settings: EndpointSettings,
    private readonly owner: EndpointOwner,
  ) {
    const { dialects, pattern } = place;
    this.menu = new DialectMenu({ dialects, pattern, maxFrameBytes: settings.maxFrameBytes });
    // Half-open: in some dialects the end of the input is no more than the end of the calls.
    this.server = createServer({ allowHalfOpen: true }, (socket) => owner.accepted(socket, this));
    this.server.maxConnections = settings.maxConnections;
    this.connections = new ConnectionLimit(settings, (error) => owner.troubled(error));
    this.server.on('drop', () => this.connections.refused());
  }

  /** Everything that can fail, under the lock of the path; nobody sees anything of it yet. @throws what `bindSocketFile` says, ADDRESS_IN_USE, TAKEOVER_REFUSED */
  async bind(): Promise<void> {
    try {
      const { lockTimeoutMs } = this.settings;
      this.#bound = await this.#bind(lockTimeoutMs, (path) => this.#assertReplaceable(path));
    } catch (error) {
      this.#predecessor?.letBe();
      throw error;
    }
  }

  /** Whether nobody had the name as it was bound: somebody else may have come since then. */
  get isFirst(): boolean {
    return this.#bound?.isFirst === true;
  }

  /** Lets the file be seen, in place of a predecessor's. @throws what `BoundSocketFile` says */
  async publish(): Promise<void> {
    this.#file = this.#bound?.file;
    await this.#bound?.publish();
    this.#bound = undefined;
    // From here on an error of the server is no error of listening; without a listener it would end the process.
    this.server.on('error', (error) => this.owner.troubled(errorOf('LISTEN_FAILED', error.message, error)));
    this.#startWatch();
  }

  /** Takes back what `bind` and `publish` did. */
  async withdraw(): Promise<void> {
    this.#predecessor?.letBe();
    await this.#bound?.discard();
    await this.removeFile();
    void this.close();
  }

  /** Tells the server that had the path before that it may go. */
  async dismissPredecessor(): Promise<void> {
    const predecessor = this.#predecessor;
    this.#predecessor = undefined;
    try {
      await predecessor?.tellToLeave(this.settings.probeTimeoutMs);
    } catch (error) {
      this.owner.troubled(error as UdsError);
    }
  }

  /** Whether another server has its place. */
  async isReplaced(): Promise<boolean> {
    return (await this.#file?.look().catch(() => undefined)) === 'replaced';
  }

  /** Takes the file away. One that can't be removed is worth a line of log; it must not keep the server from closing. */
  async removeFile(): Promise<void> {
    await this.#watch?.stop();
    const file = this.#file;
    this.#file = undefined;
    try {
      await file?.remove(this.#briefLockTimeoutMs);
    } catch (error) {
      const reason = error instanceof UdsError ? error.message : `the system says ${errnoOf(error)}.`;
      const message = `The socket file ${this.place.path} can not be removed: ${reason} It is stale now.`;
      this.owner.troubled(errorOf('LISTEN_FAILED', message, error));
    }
  }

  /** Accepts nobody any more; resolves when the last connection has gone. */
  close(): Promise<void> {
    return new Promise((resolve) => this.server.close(() => resolve()));
  }

  async #bind(
    lockTimeoutMs: number,
    assertReplaceable: (path: string) => Promise<void>,
  ): Promise<BoundSocketFile> {
    const { path, mode } = this.place;
    return await bindSocketFile(
      this.server,
      { ...this.settings, lockTimeoutMs, path, mode },
      assertReplaceable,
      (error) => this.owner.troubled(error),
    );
  }

  /** While the server lives: a close waits for whatever goes on under the lock, and needs time for its calls then. */
  get #briefLockTimeoutMs(): number {
    return Math.min(this.settings.lockTimeoutMs, this.settings.closeTimeoutMs / 2);
  }

  /** @throws ADDRESS_IN_USE, TAKEOVER_REFUSED where somebody lives there who must stay. */
  async #assertReplaceable(path: string): Promise<void> {
    const { onLive, probeTimeoutMs } = this.settings;
    // Bytes that a hello is made of would be a call on a raw endpoint: there connecting is all that is asked.
    const dialect = this.place.pattern === undefined ? undefined : new RawClientDialect();
    this.#predecessor?.letBe();
    this.#predecessor = await Predecessor.meet(path, this.settings, probeTimeoutMs, dialect);
    if (this.#predecessor === undefined) return;
    const { who, canBeTold, whyNot } = this.#predecessor;
    if (onLive === 'refuse') {
      throw errorOf(
        'ADDRESS_IN_USE',
        `A live server has ${path}: ${who}. Stop it first, choose another path, or take its place (option onLive).`,
      );
    }
    if (!canBeTold) {
      throw errorOf(
        'TAKEOVER_REFUSED',
        `The live server of ${path} (${who}) can not be told to leave: ${whyNot}. Stop it first.`,
      );
    }
    this.#predecessor.announce();
  }

  #startWatch(): void {
    const { fileCheckIntervalMs, onGone } = this.settings;
    if (this.#file === undefined || fileCheckIntervalMs === 0) return;
    const recreate = async (): Promise<SocketFile> => {
      const bound = await this.#bind(this.#briefLockTimeoutMs, refuseForeign);
      this.#file = bound.file;
      await bound.publish();
      return bound.file;
    };
    this.#watch = new SocketWatch(this.#file, fileCheckIntervalMs, {
      troubled: (error) => this.owner.troubled(error),
      recreate: onGone === 'recreate' ? recreate : undefined,
    });
  }
}

/** What came to the name while it was free is somebody else's, alive or not. */
const refuseForeign = (path: string): Promise<never> =>
  Promise.reject(errorOf('ADDRESS_IN_USE', `Somebody else has put a socket at ${path}.`));
