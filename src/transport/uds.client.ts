import { ClientProxy, type MsPattern, type ReadPacket, type WritePacket } from '@nestjs/microservices';
import { InvalidMessageException } from '@nestjs/microservices/errors/invalid-message.exception.js';
import { Observable, Subject, throwError } from 'rxjs';
import { Channel } from '../net/channel.js';
import type { Connection } from '../net/connection.js';
import type { CallRequest } from '../protocol/call.js';
import { FLOOR_EVENTS, FLOOR_IN_FLIGHT } from '../protocol/hello.js';
import { AbortableCall, type OpenCall, type Receive } from './uds.abortable-call.js';
import { AnswerReader } from './uds.answer-reader.js';
import type { EventSubscription, UdsClientEvents } from './uds.events.js';
import { type ResolvedClientOptions, resolveClientOptions, type UdsClientOptions } from './uds.options.js';
import { patternText } from './uds.pattern.js';
import { assertMetadata, UdsRecord } from './uds.record.js';
import { StreamReader } from './uds.stream-reader.js';

const isNil = (value: unknown): value is null | undefined => value === undefined || value === null;

/**
 * Sends messages and events to a UdsServer.
 *
 * Besides Nest's own surface: a call may carry metadata, a time limit and an AbortSignal (UdsRecordBuilder), and
 * `stream` reads a streamed answer no faster than it is consumed.
 *
 * A call fails with what the handler failed with, verbatim, or with a UdsError whose `code` says what happened.
 *
 * @example
 * const client = new UdsClient({ path: '/run/app/app.sock' });
 * const answer = await firstValueFrom(client.send('echo', 'hi'));
 * await client.close();
 */
export class UdsClient extends ClientProxy<UdsClientEvents> {
  readonly #options: ResolvedClientOptions;
  readonly #channel: Channel;
  #subscriptions: EventSubscription[] = [];

  /** @throws UsageError INVALID_OPTION */
  constructor(options: UdsClientOptions) {
    super();
    this.#options = resolveClientOptions(options);
    this.initializeSerializer(options);
    this.initializeDeserializer(options);
    this.#channel = new Channel(settingsOf(this.#options), {
      connected: (connection) => this.#connected(connection),
      disconnected: () => this._status$.next('disconnected'),
    });
  }

  /**
   * Resolves when the server has answered the hello of each of `connections`.
   *
   * @throws UdsError within connectTimeoutMs, saying why; where one of several connections could not be had, calls go over
   * the others all the same.
   */
  override connect(): Promise<void> {
    return this.#channel.connect();
  }

  /** Waits for what runs, up to closeTimeoutMs, and closes. A later call connects again. */
  override async close(): Promise<void> {
    await this.#channel.close();
    this.#subscriptions = [];
  }

  /**
   * Sends a message once subscribed to; unsubscribing cancels the call on the server too.
   *
   * @param data the payload, or what a UdsRecordBuilder made of it.
   */
  override send<TResult = unknown, TInput = unknown>(pattern: unknown, data: TInput): Observable<TResult> {
    if (isMissing(pattern, data)) return throwError(() => new InvalidMessageException());
    // Published at once where a connection stands, so that messages and events keep the order of their calls.
    return new Observable<TResult>((observer) =>
      this.publish(this.createPacket(pattern, data), this.createObserver<TResult>(observer)),
    );
  }

  /**
   * Sends an event now, subscribed to or not. The Observable gives one `undefined` and completes when the system has
   * taken the event's bytes.
   *
   * @param data the payload, or what a UdsRecordBuilder made of it.
   */
  override emit<TResult = unknown, TInput = unknown>(pattern: unknown, data: TInput): Observable<TResult> {
    if (isMissing(pattern, data)) return throwError(() => new InvalidMessageException());
    const sent = new Subject<TResult>();
    // What a dispatch hook throws is the event's error too.
    const dispatched = new Promise<TResult>((resolve) =>
      resolve(this.dispatchEvent<TResult>(this.createPacket(pattern, data))),
    );
    dispatched.then(
      (nothing) => {
        sent.next(nothing);
        sent.complete();
      },
      (error: unknown) => sent.error(this.serializeError(error)),
    );
    return sent.asObservable();
  }

  /**
   * Sends a message and reads its streamed answer no faster than the loop takes it: the server's generator is paused
   * meanwhile. Leaving the loop cancels the call.
   *
   * @param data the payload, or what a UdsRecordBuilder made of it.
   * @example
   * for await (const row of client.stream<Row>('rows', { table: 'orders' })) await store(row);
   */
  stream<TResult = unknown>(
    pattern: unknown,
    data: unknown,
  ): AsyncIterableIterator<TResult, undefined, undefined> {
    const reader = new StreamReader((opened) => {
      if (isMissing(pattern, data)) throw new InvalidMessageException();
      return this.#request(this.createPacket(pattern, data), (packet, wireBytes) =>
        opened.receive(packet, wireBytes),
      );
    });
    return reader as AsyncIterableIterator<TResult, undefined, undefined>;
  }

  /**
   * Listens to `connect`, or to an event of each socket that connects from now on: `end`, `drain`, `close`, `error`.
   */
  override on<Event extends keyof UdsClientEvents>(event: Event, callback: UdsClientEvents[Event]): void {
    const subscription = { event: String(event), callback: callback as EventSubscription['callback'] };
    this.#subscriptions.push(subscription);
    if (event === 'connect') return;
    for (const { socket } of this.#channel.connections) socket.on(subscription.event, subscription.callback);
  }

  /** The connected `net.Socket`, the first where there are several; it emits no `data`. @throws Error where there is none. */
  override unwrap<T>(): T {
    const socket = this.#channel.connections[0]?.socket;
    if (socket === undefined) throw new Error('Not initialized. Please call the "connect" method first.');
    return socket as T;
  }

  protected override publish(packet: ReadPacket, callback: (packet: WritePacket) => void): () => void {
    try {
      const call = this.#request(packet, (answer, wireBytes) => {
        callback(answer);
        // A subscriber can't hold back: what it was given is taken.
        if (wireBytes > 0) call.consume(wireBytes);
      });
      return () => call.cancel();
    } catch (err) {
      callback({ err });
      return () => undefined;
    }
  }

  protected override dispatchEvent<T>(packet: ReadPacket): Promise<T> {
    return new Promise((resolve, reject) => {
      const pattern = this.normalizePattern(packet.pattern as MsPattern);
      const event = this.#requestOf({ ...packet, pattern }, true);
      const receive: Receive = ({ err }) =>
        err === undefined ? resolve(undefined as T) : reject(err as Error);
      this.#open(packet, receive, (received) =>
        this.#channel.emit(event, (err) => received({ err, isDisposed: true }, 0)),
      );
    });
  }

  /** Starts a request. @throws UsageError where it can't be written down. */
  #request(packet: ReadPacket, receive: Receive): OpenCall {
    const request = this.#requestOf(packet);
    return this.#open(packet, receive, (received) => this.#channel.request(request, this.#reader(received)));
  }

  /** Opens a call, under the AbortSignal of its record where it has one. */
  #open(packet: ReadPacket, receive: Receive, open: (receive: Receive) => OpenCall): OpenCall {
    const data: unknown = packet.data;
    const signal = UdsRecord.is(data) ? data.signal : undefined;
    return signal === undefined ? open(receive) : new AbortableCall(signal, receive, open);
  }

  #reader(receive: Receive): AnswerReader {
    const readsAll = this.#options.deserializer !== undefined;
    const id = readsAll ? this.assignPacketId({ pattern: '', data: '' }).id : undefined;
    return new AnswerReader(receive, this.deserializer, id);
  }

  #requestOf(packet: ReadPacket<unknown>, isEvent = false): CallRequest {
    const { data: given } = packet;
    const attached = packet.metadata ?? undefined;
    const pattern: unknown = packet.pattern;
    const record = UdsRecord.is(given) ? given : undefined;
    const data: unknown = record === undefined ? given : record.data;
    if (attached !== undefined) assertMetadata(attached);
    const metadata = record?.metadata === undefined ? attached : { ...record.metadata, ...attached };
    const limitMs = record?.timeoutMs ?? this.#options.requestTimeoutMs;
    const deadlineMs = limitMs === 0 ? Infinity : performance.now() + limitMs;
    if (this.#options.serializer === undefined) {
      return { pattern: patternText(pattern), payload: data, metadata, isEnveloped: false, deadlineMs };
    }
    const whole = { pattern, data, ...(metadata && { metadata }) };
    const payload: unknown = this.serializer.serialize(isEvent ? whole : this.assignPacketId(whole));
    return { pattern: '', payload, metadata: undefined, isEnveloped: true, deadlineMs };
  }

  #connected(connection: Connection): void {
    for (const { event, callback } of this.#subscriptions) {
      if (event === 'connect') callback();
      else connection.socket.on(event, callback);
    }
    this._status$.next('connected');
  }
}

function isMissing(pattern: unknown, data: unknown): boolean {
  return isNil(pattern) || isNil(UdsRecord.is(data) ? data.data : data);
}

/** A client takes no calls, so it grants none; the limits of a server's side are the floor. */
function settingsOf(options: ResolvedClientOptions): ConstructorParameters<typeof Channel>[0] {
  return {
    ...options,
    role: 'client',
    pid: process.pid,
    maxInFlight: FLOOR_IN_FLIGHT,
    maxEvents: FLOOR_EVENTS,
    maxMetadataBytes: 0,
    helloTimeoutMs: options.connectTimeoutMs,
    // A server that stops in the middle of a frame is found by its heartbeat.
    partialFrameTimeoutMs: 0,
    // A server's affair.
    slowReaderTimeoutMs: 0,
  };
}
