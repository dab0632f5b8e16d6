import { typeName } from '../conformance/vectors.js';
import type { Caller, CallRequest, IncomingCall, OutgoingCall } from '../../src/protocol/call.js';
import { BinaryDialect } from '../../src/protocol/dialects/binary.js';
import type { Dialect } from '../../src/protocol/dialects/dialect.js';
import { NdjsonDialect } from '../../src/protocol/dialects/ndjson.js';
import { errorOf, ProtocolError, UdsError, type UdsErrorCode } from '../../src/protocol/errors.js';
import type { FrameType } from '../../src/protocol/frame.js';
import type { Hello } from '../../src/protocol/hello.js';
import { Message } from '../../src/protocol/message.js';
import { Session } from '../../src/protocol/session.js';
import type { SessionOwner, SessionSettings, SessionSink } from '../../src/protocol/session-owner.js';

const SETTINGS: Omit<SessionSettings, 'role'> = {
  name: 'test',
  pid: 1,
  maxFrameBytes: 1024 ** 2,
  maxInFlight: 100,
  maxEvents: 100,
  maxMetadataBytes: 1_000,
  streamCreditBytes: 1_000,
};

export type PairOptions = Partial<Omit<SessionSettings, 'role'>> & {
  /** What this end speaks, where it is not binary. */
  readonly dialect?: Dialect;
};

/** One end: a session that writes into a dialect, and notes all that it is told. */
export class End implements SessionSink, SessionOwner {
  readonly session: Session;
  /** What has left here, as the other end reads it. */
  readonly sent: Message[] = [];
  readonly calls: IncomingCall[] = [];
  readonly peers: Hello[] = [];
  readonly refusals: UdsErrorCode[] = [];
  /** As a socket that takes no more would have it. */
  isCongested = false;
  leftTimes = 0;
  freedTimes = 0;
  takenOverTimes = 0;
  /** Why this end ended the connection. */
  error: UdsError | undefined;
  readonly dialect: Dialect;
  /** Bytes under way to the other end. */
  wire: Buffer = Buffer.alloc(0);
  #isOver = false;

  constructor(role: 'client' | 'server', { dialect, ...options }: PairOptions) {
    const settings = { ...SETTINGS, ...options, role };
    this.dialect = dialect ?? new BinaryDialect(settings.maxFrameBytes);
    this.session = new Session(settings, this, this);
  }

  write(message: Message): number {
    return this.#isOver ? 0 : this.dialect.encode(message);
  }

  opened(peer: Hello | undefined): void {
    if (peer !== undefined) this.peers.push(peer);
  }

  called(call: IncomingCall): void {
    this.calls.push(call);
  }

  refused(error: UdsError): void {
    this.refusals.push(error.code);
  }

  left(): void {
    this.leftTimes += 1;
    this.#endIfFinished();
  }

  freed(): void {
    this.freedTimes += 1;
    this.#endIfFinished();
  }

  takenOver(): void {
    this.takenOverTimes += 1;
  }

  /** The tokens of the PONGs that have left. */
  get pongs(): number[] {
    return this.sentOf('PONG').map(({ id }) => id);
  }

  /** The newest call that was taken. */
  get call(): IncomingCall {
    const call = this.calls.at(-1);
    if (call === undefined) throw new Error('No call was taken.');
    return call;
  }

  /** The frames that have left, by type and id. */
  get frames(): string[] {
    return this.sent.map(({ type, id }) => `${typeName(type)} ${id}`);
  }

  /** The frames of some types that have left, since the test asks for these alone. */
  sentOf(...types: (keyof typeof FrameType)[]): Message[] {
    return this.sent.filter(({ type }) => types.includes(typeName(type)));
  }

  request(request: Partial<CallRequest> = {}, nowMs = 0, caller = new Recorder()): Recorder {
    caller.call = this.session.outgoing.request(requestOf(request), caller, nowMs);
    return caller;
  }

  emit(event: Partial<CallRequest> = {}, nowMs = 0): void {
    this.session.outgoing.emit(requestOf(event), nowMs);
  }

  /** The end of the connection, as a socket would bring it. */
  cut(error: UdsError): void {
    this.#isOver = true;
    this.session.close(error);
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** As a connection does it: what has done its work takes nothing more. */
  #endIfFinished(): void {
    if (this.session.isFinished) this.#isOver = true;
  }
}

function requestOf(request: Partial<CallRequest>): CallRequest {
  return {
    pattern: 'echo',
    payload: undefined,
    metadata: undefined,
    isEnveloped: false,
    deadlineMs: Infinity,
    ...request,
  };
}

/** A caller that notes what it hears. */
export class Recorder implements Caller {
  readonly heard: [kind: 'next' | 'end' | 'fail', value: unknown, isEnveloped: boolean][] = [];
  wireBytes: number[] = [];
  call: OutgoingCall | undefined;

  /** @param then runs within each callback. */
  constructor(private readonly then: (recorder: Recorder) => void = () => undefined) {}

  next(value: unknown, isEnveloped: boolean, wireBytes: number): void {
    this.wireBytes.push(wireBytes);
    this.#hear('next', value, isEnveloped);
  }

  end(value: unknown, isEnveloped: boolean): void {
    this.#hear('end', value, isEnveloped);
  }

  fail(error: unknown, isEnveloped: boolean): void {
    this.#hear('fail', error, isEnveloped);
  }

  /** The codes with which it failed. */
  get codes(): (UdsErrorCode | undefined)[] {
    return this.heard.flatMap(([kind, value]) =>
      kind === 'fail' ? [value instanceof UdsError ? value.code : undefined] : [],
    );
  }

  #hear(kind: 'next' | 'end' | 'fail', value: unknown, isEnveloped: boolean): void {
    this.heard.push([kind, value, isEnveloped]);
    this.then(this);
  }
}

/** Two sessions joined by their dialects, without a socket: bytes move when the test says so. */
export class ConnectionPair {
  readonly client: End;
  readonly server: End;
  /** The clock of both ends. */
  nowMs = 0;

  constructor({ client = {}, server = {} }: { client?: PairOptions; server?: PairOptions } = {}) {
    this.client = new End('client', client);
    this.server = new End('server', server);
  }

  other(end: End): End {
    return end === this.client ? this.server : this.client;
  }

  /** Moves up to so many bytes from one end to the other, in pieces. */
  deliver(from: End, maxBytes = Infinity, pieceBytes = Infinity): void {
    const to = this.other(from);
    from.wire = Buffer.concat([from.wire, ...from.dialect.take()]);
    const bytes = from.wire.subarray(0, maxBytes);
    from.wire = from.wire.subarray(bytes.length);
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      this.#receive(from, to, Buffer.from(bytes.subarray(at, at + pieceBytes)));
    }
  }

  /** Moves bytes until nothing is under way. */
  settle(pieceBytes = Infinity): this {
    do {
      this.deliver(this.client, Infinity, pieceBytes);
      this.deliver(this.server, Infinity, pieceBytes);
    } while (this.client.dialect.pendingBytes > 0);
    return this;
  }

  expire(nowMs: number): void {
    this.nowMs = nowMs;
    this.client.session.expire(nowMs);
    this.server.session.expire(nowMs);
  }

  #receive(from: End, to: End, piece: Buffer): void {
    if (to.isOver) return;
    try {
      to.dialect.decode(piece, (message) => {
        from.sent.push(message);
        if (!to.isOver) to.session.receive(message, this.nowMs);
      });
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      to.error = error;
      to.cut(error);
      // what the other end had said before goes out, then it hears of the end
      this.deliver(to);
      from.cut(errorOf('CONNECTION_LOST', 'The peer closed the connection.'));
    }
  }
}

/** A pair that has said hello. */
export function connect(options?: { client?: PairOptions; server?: PairOptions }): ConnectionPair {
  const pair = new ConnectionPair(options);
  pair.client.session.open();
  return pair.settle();
}

/** A pair that speaks ndjson. */
export function connectText(options: { client?: PairOptions; server?: PairOptions } = {}): ConnectionPair {
  const pair = new ConnectionPair({
    client: { ...options.client, dialect: new NdjsonDialect(SETTINGS.maxFrameBytes, 'client') },
    server: { ...options.server, dialect: new NdjsonDialect(SETTINGS.maxFrameBytes, 'server') },
  });
  pair.client.session.openWithoutHello();
  pair.server.session.openWithoutHello();
  return pair;
}

/** A message by hand, for what a session would never write. */
export function message(
  type: number,
  id: number,
  fields: Partial<Omit<Message, 'type' | 'id'>> = {},
): Message {
  return Object.assign(new Message(type, id), fields);
}
