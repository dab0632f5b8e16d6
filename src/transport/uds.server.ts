import { AsyncResource } from 'node:async_hooks';
import type { Server as NetServer } from 'node:net';
import { type CustomTransportStrategy, type MessageHandler, Server } from '@nestjs/microservices';
import { NO_EVENT_HANDLER, NO_MESSAGE_HANDLER } from '@nestjs/microservices/constants.js';
import type { Connection } from '../net/connection.js';
import { Listener } from '../net/listener.js';
import type { IncomingCall } from '../protocol/call.js';
import { errorOf } from '../protocol/errors.js';
import { FLOOR_FRAME_BYTES } from '../protocol/hello.js';
import type { Metadata } from '../protocol/payload-codec.js';
import { quote } from '../protocol/quote.js';
import { Answer } from './uds.answer.js';
import { UDS_TRANSPORT } from './uds.constants.js';
import { UdsContext, type UdsStats } from './uds.context.js';
import { mapUnfilteredError } from './uds.errors.js';
import { runEvent } from './uds.event.js';
import { type EventSubscription, ServerSubscriptions, type UdsServerEvents } from './uds.events.js';
import { type ResolvedServerOptions, resolveServerOptions, type UdsServerOptions } from './uds.options.js';
import { runUnderHooks } from './uds.processing-hooks.js';
import { RequestReader } from './uds.request-reader.js';
import { KnownPatterns } from './uds.known-patterns.js';
import { patternOfText } from './uds.pattern.js';
import { Reply, type ReplySettings } from './uds.reply.js';
import { SafeLogger } from './uds.safe-logger.js';
import { TroubleLog } from './uds.trouble-log.js';

/**
 * Serves Nest's message and event handlers over a Unix domain socket.
 *
 * `listen` fails through Nest's callback with PATH_TOO_LONG, OPEN_DIRECTORY, NOT_A_SOCKET, ADDRESS_IN_USE, TAKEOVER_REFUSED,
 * LOCK_TIMEOUT, LOCK_BROKEN, DIRECTORY_MISSING, PERMISSION_DENIED, OWNER_NOT_ALLOWED or LISTEN_FAILED.
 *
 * @example
 * const app = await NestFactory.createMicroservice(AppModule, { strategy: new UdsServer({ path: '/run/app/app.sock' }) });
 * await app.listen();
 */
export class UdsServer extends Server<UdsServerEvents> implements CustomTransportStrategy {
  override readonly transportId = UDS_TRANSPORT;
  protected override readonly logger = new SafeLogger(UdsServer.name);
  readonly #options: ResolvedServerOptions;
  readonly #log: TroubleLog;
  readonly #replySettings: ReplySettings;
  /** Of dialects in which no packets travel. */
  readonly #bareReplySettings: ReplySettings;
  readonly #requests: RequestReader;
  readonly #readsPackets: boolean;
  readonly #known = new KnownPatterns(this.messageHandlers);
  #listener: Listener | undefined;
  readonly #subscriptions = new ServerSubscriptions();
  #hasHooks = false;
  readonly #readStats = (): UdsStats =>
    this.#listener?.stats ?? { connections: 0, callsServed: 0, callsInFlight: 0, endpoints: [] };

  /** @throws UsageError INVALID_OPTION */
  constructor(options: UdsServerOptions) {
    super();
    this.#options = resolveServerOptions(options);
    this.#log = new TroubleLog(this.logger, this.#options);
    this.initializeSerializer(options);
    this.initializeDeserializer(options);
    this.#requests = new RequestReader(this.deserializer, (pattern) => this.getPatternAsString(pattern));
    this.#readsPackets = options.deserializer !== undefined;
    this.#replySettings = {
      maxStreamBufferBytes: this.#options.maxStreamBufferBytes,
      serializer: options.serializer && this.serializer,
      troubled: (error, call) => this.#log.troubled(error, undefined, call.pattern),
      mapError: mapUnfilteredError,
    };
    this.#bareReplySettings = { ...this.#replySettings, serializer: undefined };
  }

  /** Not async: Nest ignores a promise, so every error goes to the callback. */
  override listen(callback: (error?: unknown) => void): void {
    if (this.#listener?.isFresh === false && !this.#listener.isClosing) {
      callback(errorOf('LISTEN_FAILED', 'This server listens already: close it first.'));
      return;
    }
    const listener = this.#listener?.isFresh === true ? this.#listener : this.#createListener();
    this.#listener = listener;
    listener.listen().then(
      () => {
        // Whoever closed it meanwhile and listened again has another one, which speaks for itself.
        if (this.#listener === listener) this._status$.next('connected');
        callback();
      },
      (error: unknown) => {
        this.#forget(listener);
        callback(error);
      },
    );
  }

  /** Takes the socket file away, waits for what runs, up to closeTimeoutMs, and closes. */
  override async close(): Promise<void> {
    const listener = this.#listener;
    this.#subscriptions.clear();
    if (listener === undefined) return;
    await listener.close();
    this.#log.flush();
    this.#forget(listener);
  }

  #forget(listener: Listener): void {
    if (this.#listener !== listener) return;
    this.#listener = undefined;
    this._status$.next('disconnected');
  }

  /** Listens to `takeover`, or to an event of the `net.Server` of each endpoint; may be called before `listen`. */
  override on<Event extends keyof UdsServerEvents>(event: Event, callback: UdsServerEvents[Event]): void {
    const subscription = { event: String(event), callback: callback as EventSubscription['callback'] };
    this.#subscriptions.add(subscription, this.#listener?.servers ?? []);
  }

  /** The `net.Server` of the first endpoint, of the next `listen` where it does not listen. */
  override unwrap<T = NetServer>(): T {
    this.#listener ??= this.#createListener();
    return this.#listener.servers[0] as T;
  }

  override setOnProcessingStartHook(...hook: Parameters<Server['setOnProcessingStartHook']>): void {
    this.#hasHooks = true;
    super.setOnProcessingStartHook(...hook);
  }

  /** What it throws is logged: calls also end where nobody could catch it, such as in the reading of a CANCEL. */
  override setOnProcessingEndHook(...[hook]: Parameters<Server['setOnProcessingEndHook']>): void {
    this.#hasHooks = true;
    super.setOnProcessingEndHook((transport, context) => {
      try {
        hook(transport, context);
      } catch (error) {
        this.handleError(error);
      }
    });
  }

  /** Nest's way to log what nobody can be told. */
  protected override handleError(error: unknown): void {
    this.#log.failed(error);
  }

  override addHandler(...handler: Parameters<Server['addHandler']>): void {
    this.#known.clear();
    super.addHandler(...handler);
  }

  /** Nest's look-up parses each pattern as JSON and throws where it is none: microseconds a call, so what was found is remembered. */
  override getHandlerByPattern(pattern: string): MessageHandler | null {
    return this.#known.get(pattern) ?? this.#known.keep(pattern, super.getHandlerByPattern(pattern));
  }

  #createListener(): Listener {
    const options = this.#options;
    const listener = new Listener(
      // A server makes no calls, so it grants no credit for answers; the session asks for a figure all the same.
      { ...options, role: 'server', pid: process.pid, streamCreditBytes: FLOOR_FRAME_BYTES },
      {
        // Each call in an asynchronous context of its own: what one enters must not reach the next.
        called: (connection, call) =>
          new AsyncResource('UdsCall').runInAsyncScope(() => this.#called(connection, call)),
        troubled: (error, connection) => this.#log.troubled(error, connection),
        takenOver: () => this.#takenOver(),
      },
    );
    this.#subscriptions.attachAll(listener.servers);
    return listener;
  }

  #takenOver(): void {
    this.logger.log('Another process has the socket file now: finishing what runs here.');
    this.#subscriptions.tellTakeover((error) => this.handleError(error));
    void this.close();
  }

  #called(connection: Connection, call: IncomingCall): void {
    if (!call.isEnveloped && !(this.#readsPackets && connection.hasPackets)) {
      this.#run(call, connection, call.pattern, call.payload, call.metadata);
      return;
    }
    const { incoming } = connection.session;
    incoming.beginWork(call);
    this.#requests.read(
      call,
      connection,
      ({ pattern, data, metadata }) => {
        incoming.endWork(call);
        // A deserializer may take its time, and the caller may have gone meanwhile.
        if (!call.isOver) this.#run(call, connection, pattern, data, metadata);
      },
      () => {
        incoming.endWork(call);
        const error = errorOf('BAD_PAYLOAD', 'The deserializer of the server could not read the call.');
        this.#log.troubled(error, connection);
        if (call.isEvent) incoming.finish(call);
        else incoming.refuse(call, error);
      },
    );
  }

  #run(
    call: IncomingCall,
    connection: Connection,
    pattern: string,
    data: unknown,
    metadata: Metadata | undefined,
  ): void {
    const context = new UdsContext(
      connection,
      patternOfText(pattern),
      metadata,
      call.deadlineMs,
      this.#readStats,
    );
    const { incoming } = connection.session;
    const handler = this.#handlerOf(pattern);
    if (call.isEvent) {
      void this.#runEvent(handler, pattern, data, context).then(() => {
        incoming.finish(call);
      });
    } else if (handler === null) {
      const error = errorOf('NO_HANDLER', `${NO_MESSAGE_HANDLER} (pattern ${quote(pattern)})`);
      this.#log.troubled(error, connection);
      incoming.refuse(call, error);
    } else {
      const settings = connection.hasPackets ? this.#replySettings : this.#bareReplySettings;
      this.#runRequest(handler, data, context, new Reply(call, settings, incoming));
    }
  }

  /** An application's own look-up may throw: that call has no handler, and those beside it lose nothing. */
  #handlerOf(pattern: string): MessageHandler | null {
    try {
      return this.getHandlerByPattern(pattern);
    } catch (error) {
      this.handleError(error);
      return null;
    }
  }

  #runRequest(handler: MessageHandler, data: unknown, context: UdsContext, reply: Reply): void {
    const answer = new Answer(reply);
    reply.call.onCancel = (reason) => {
      context.abort(reason);
      answer.stop();
    };
    if (!this.#hasHooks) {
      void answer.run(() => handler(data, context));
      return;
    }
    // The span closes when the call is over on whatever path, so also when it is cancelled while a guard still waits.
    const run = async (runEndHook: () => void): Promise<void> => {
      reply.whenEnded(runEndHook);
      // The start hook may take its time, and the caller may have gone meanwhile.
      if (reply.isOver()) reply.end();
      else await answer.run(() => handler(data, context));
    };
    this.#withHooks(context, run, (error) => reply.failPastFilters(error));
  }

  /** Resolves when the event's handlers have ended, their Observables included; never rejects. */
  #runEvent(
    handler: MessageHandler | null,
    pattern: string,
    data: unknown,
    context: UdsContext,
  ): Promise<void> {
    if (handler === null) {
      this.#log.noEventHandler(NO_EVENT_HANDLER`${quote(pattern)}`);
      return Promise.resolve();
    }
    const log = (error: unknown): void => this.handleError(error);
    return new Promise((resolve) => {
      const run = async (runEndHook: () => void): Promise<void> => {
        await runEvent(() => handler(data, context), log);
        runEndHook();
        resolve();
      };
      this.#withHooks(context, run, (error) => {
        log(error);
        resolve();
      });
    });
  }

  #withHooks(
    context: UdsContext,
    run: (runEndHook: () => void) => Promise<void>,
    broken: (error: unknown) => void,
  ): void {
    const start = (begun: typeof run): unknown => this.runWithProcessingHooks(context, begun);
    runUnderHooks(start, run, broken, (error) => this.handleError(error));
  }
}
