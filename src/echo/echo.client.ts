import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { firstValueFrom } from 'rxjs';
import { UdsClient } from '../transport/uds.client.js';
import type { UdsClientOptions } from '../transport/uds.options.js';
import { type UdsRecord, UdsRecordBuilder } from '../transport/uds.record.js';
import { MODULE_OPTIONS_TOKEN } from './echo-client.module-definition.js';
import { ECHO_PATTERN, ECHO_STREAM_PATTERN, type EchoHealth, HEALTH_PATTERN } from './echo.contract.js';

/** What one call may ask for. */
export interface EchoOptions {
  /** How long to wait for the first answer, in milliseconds; 0 waits for ever. Default: requestTimeoutMs. */
  readonly timeoutMs?: number;
  /** Cancels the call when it aborts; the call then fails with CALL_ABORTED. */
  readonly signal?: AbortSignal;
  /** Travels beside the value; the handler reads it with `context.getMetadata()`. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/**
 * Talks to the echo service. EchoClientModule makes it for an application; it works without Nest too.
 *
 * A call fails with a UdsError: SERVER_NOT_FOUND, CONNECTION_REFUSED, PERMISSION_DENIED, HELLO_TIMEOUT where there is no
 * server; DEADLINE_EXCEEDED, CALL_ABORTED, CONNECTION_LOST under way; INVALID_RECORD, UNSERIALIZABLE_PAYLOAD,
 * PAYLOAD_TOO_LARGE where the call itself is wrong. As with every client of Nest, `null` and `undefined` can't be sent
 * alone (InvalidMessageException); `null` inside an object can.
 *
 * @example
 * @Injectable()
 * class Greeter {
 *   constructor(private readonly echo: EchoClient) {}
 *   greet(): Promise<string> {
 *     return this.echo.echo('hello', { timeoutMs: 500 });
 *   }
 * }
 */
@Injectable()
export class EchoClient implements OnApplicationShutdown {
  readonly #client: UdsClient;

  /** @throws UsageError INVALID_OPTION */
  constructor(@Inject(MODULE_OPTIONS_TOKEN) options: UdsClientOptions) {
    this.#client = new UdsClient(options);
  }

  /** Resolves when the server has answered. Not needed before a call. @throws UdsError within connectTimeoutMs. */
  connect(): Promise<void> {
    return this.#client.connect();
  }

  /** Waits for what runs, up to closeTimeoutMs, and closes. A later call connects again. */
  close(): Promise<void> {
    return this.#client.close();
  }

  /** The last of Nest's hooks: what the application's own servers still answer may need the echo. */
  async onApplicationShutdown(): Promise<void> {
    await this.close();
  }

  /**
   * Sends a value and gives back what the server echoes.
   *
   * @param value a string, a number, an object, or bytes: a Uint8Array comes back as a Buffer.
   */
  async echo<T>(value: T, options: EchoOptions = {}): Promise<T> {
    return await firstValueFrom(this.#client.send<T>(ECHO_PATTERN, recordOf(value, options)));
  }

  /**
   * Reads an array's items back one by one, or the numbers from 0 up to a count, no faster than the loop takes them.
   * Leaving the loop cancels the call.
   *
   * It fails as `echo` does; and with `{ code: 'INVALID_STREAM_ITEMS', message }`, as the handler threw it, where the
   * count is negative, broken or above 10,000,000.
   *
   * @throws UsageError INVALID_RECORD, at once
   * @example
   * for await (const item of client.echoStream(['a', 'b'])) console.log(item);
   */
  echoStream(count: number, options?: EchoOptions): AsyncIterable<number>;
  echoStream<T>(items: readonly T[], options?: EchoOptions): AsyncIterable<T>;
  echoStream(items: number | readonly unknown[], options: EchoOptions = {}): AsyncIterable<unknown> {
    return this.#client.stream(ECHO_STREAM_PATTERN, recordOf(items, options));
  }

  /** How the server is: its version, pid and uptime, and what it counts. */
  async health(options: EchoOptions = {}): Promise<EchoHealth> {
    return await firstValueFrom(this.#client.send<EchoHealth>(HEALTH_PATTERN, recordOf({}, options)));
  }
}

function recordOf<T>(value: T, { timeoutMs, signal, metadata }: EchoOptions): UdsRecord<T> {
  const builder = new UdsRecordBuilder(value);
  if (timeoutMs !== undefined) builder.setTimeoutMs(timeoutMs);
  if (signal !== undefined) builder.setSignal(signal);
  if (metadata !== undefined) builder.setMetadata(metadata);
  return builder.build();
}
