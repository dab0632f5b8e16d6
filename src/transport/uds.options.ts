import type { Deserializer, Serializer } from '@nestjs/microservices';
import type { EndpointPlace } from '../net/endpoint.js';
import { errorOf } from '../protocol/errors.js';
import { resolveEndpoints, type UdsEndpoint } from './uds.endpoints.js';
import { numberOf, pathOf, refuseUnknown } from './uds.option-check.js';
import { OPTION_TABLE, type OptionSide } from './uds.option-table.js';
import { show } from './uds.show.js';

/** What both ends take. */
export interface UdsSharedOptions {
  /** What this end calls itself in its hello; people read it in `context.peer` and in errors. Default: nothing. */
  readonly name?: string;
  /** The longest frame that this end takes. Default: 16,777,216 bytes; from 65,536 to 1,073,741,824. */
  readonly maxFrameBytes?: number;
  /** What may wait to be written on one connection before a server stops reading there and a client lets calls wait. Default: 1,048,576 bytes; from 65,536 to 1,073,741,824. */
  readonly maxBufferedBytes?: number;
  /** How long close() waits for what runs before it cuts. Default: 10,000 ms; from 1 to 2,147,483,647. */
  readonly closeTimeoutMs?: number;
  /** As of Nest's own transports: turns packets into what travels. */
  readonly serializer?: Serializer;
  /** As of Nest's own transports: the other way round. */
  readonly deserializer?: Deserializer;
}

/** Where a server is reached: at one path, in all dialects but raw, or at endpoints. */
export type UdsServerPlace =
  | {
      /** Where the socket file is; a relative path begins at the process's working directory. At most 93 bytes. Short for `endpoints: [{ path }]`. */
      readonly path: string;
      readonly endpoints?: undefined;
    }
  | {
      readonly path?: undefined;
      /** Each has a socket file of its own. */
      readonly endpoints: readonly UdsEndpoint[];
    };

/** What `new UdsServer` and `udsServer` take. */
export type UdsServerOptions = UdsServerSettings & UdsServerPlace;

/** What a server takes besides the places where it is reached. */
export interface UdsServerSettings extends UdsSharedOptions {
  /** Permissions of the socket file; connecting needs the write bit. Default: 0o600; from 0o000 to 0o777. */
  readonly mode?: number;
  /** Owner of the socket file. Default: as the system has it; from 0 to 4,294,967,294. */
  readonly uid?: number;
  /** Group of the socket file. Default: as the system has it; from 0 to 4,294,967,294. */
  readonly gid?: number;
  /** Connections that may wait to be accepted; the system caps it too. Default: 511; from 1 to 65,535. */
  readonly backlog?: number;
  /** Connections that may be open on one endpoint; one more is refused. One that is silent from its first moment is not timed out. Default: 16,384; from 1 to 1,000,000. */
  readonly maxConnections?: number;
  /** Requests in flight on one connection; a client lets the next one wait. Default: 2,048; from 16 to 1,000,000. */
  readonly maxInFlight?: number;
  /** Events under way on one connection; a client lets the next one wait. Default: 1,024; from 16 to 1,000,000. */
  readonly maxEvents?: number;
  /** The longest metadata of one call, as JSON. Default: 8,192 bytes; from 0 to 65,535. */
  readonly maxMetadataBytes?: number;
  /** What an Observable may be ahead of its reader before its call fails with STREAM_OVERFLOW. Default: 1,048,576 bytes; from 1,024 to 1,073,741,824. */
  readonly maxStreamBufferBytes?: number;
  /** How long one write may take to leave, while more than maxBufferedBytes wait for its peer, before the connection is cut. Default: 30,000 ms; from 1 to 2,147,483,647. */
  readonly slowReaderTimeoutMs?: number;
  /** How long a client's hello may take, from its first byte. Default: 5,000 ms; from 1 to 2,147,483,647. */
  readonly helloTimeoutMs?: number;
  /** How long an existing socket file is asked who lives there; silence counts as alive. Default: 1,000 ms; from 1 to 2,147,483,647. */
  readonly probeTimeoutMs?: number;
}

/** What `new UdsClient` and `udsClient` take. */
export interface UdsClientOptions extends UdsSharedOptions {
  /** Where the socket file is; a relative path begins at the process's working directory. At most 107 bytes. */
  readonly path: string;
  /** Connections that calls are spread over; each keeps the order of its own calls, and counts towards the maxConnections of the server. Default: 1; from 1 to 1,024. */
  readonly connections?: number;
  /** How long connect() and the calls that wait for it try to reach a server. Default: 2,000 ms; from 1 to 2,147,483,647. */
  readonly connectTimeoutMs?: number;
  /** How long a call waits for its first answer; 0 waits for ever. Default: 30,000 ms; from 0 to 2,147,483,647. */
  readonly requestTimeoutMs?: number;
  /** Calls that may wait to be sent; one more fails with QUEUE_FULL. Default: 100,000; from 1 to 10,000,000. */
  readonly maxQueuedCalls?: number;
  /** What the answers of one stream may be ahead of their reader. Default: 262,144 bytes; from 1,024 to 1,073,741,824. */
  readonly streamCreditBytes?: number;
  /** The longest wait before the second attempt to connect; it doubles with each. Default: 10 ms; from 1 to 2,147,483,647. */
  readonly reconnectDelayMs?: number;
  /** The longest wait between two attempts to connect. Default: 250 ms; from 1 to 2,147,483,647. */
  readonly maxReconnectDelayMs?: number;
}

type Row = (typeof OPTION_TABLE)[number];
type NumbersOf<Side extends OptionSide> = {
  readonly [R in Extract<Row, { side: Side | 'both' }> as R['name']]: R['default'] extends number
    ? number
    : number | undefined;
};

interface ResolvedShared {
  readonly name: string;
  readonly serializer: Serializer | undefined;
  readonly deserializer: Deserializer | undefined;
}

export type ResolvedServerOptions = ResolvedShared &
  NumbersOf<'server'> & { readonly endpoints: readonly EndpointPlace[] };
export type ResolvedClientOptions = ResolvedShared & NumbersOf<'client'> & { readonly path: string };

const OTHER_OPTIONS = ['name', 'serializer', 'deserializer'];

/** @throws UsageError INVALID_OPTION that names the option, its value and what is allowed. */
export function resolveServerOptions(options: UdsServerOptions): ResolvedServerOptions {
  const resolved = resolve('server', options, ['path', 'endpoints']);
  const { path, endpoints, ...rest } = resolved as typeof resolved & { mode: number };
  return {
    ...rest,
    endpoints: resolveEndpoints(path, endpoints, rest.mode),
  } as unknown as ResolvedServerOptions;
}

/** @throws UsageError INVALID_OPTION that names the option, its value and what is allowed. */
export function resolveClientOptions(options: UdsClientOptions): ResolvedClientOptions {
  const resolved = resolve('client', options, ['path']);
  return { ...resolved, path: pathOf('path', resolved['path']) } as unknown as ResolvedClientOptions;
}

function resolve(
  side: 'server' | 'client',
  options: UdsServerOptions | UdsClientOptions,
  others: readonly string[],
): Readonly<Record<string, unknown>> {
  // Plain JavaScript and Nest's factories hand over anything, so the types are no proof.
  const given: Record<string, unknown> = { ...(options as object | undefined) };
  const rows = OPTION_TABLE.filter((row) => row.side === side || row.side === 'both');
  refuseUnknown(`${side} option`, given, [...others, ...OTHER_OPTIONS, ...rows.map((row) => row.name)]);
  const resolved: Record<string, unknown> = { ...given, name: nameOf(given['name']) };
  for (const row of rows) resolved[row.name] = numberOf(row, row.name, given[row.name]);
  return resolved;
}

function nameOf(value: unknown): string {
  if (value === undefined) return '';
  if (typeof value === 'string') return value;
  throw errorOf('INVALID_OPTION', `Option name must be a string, got ${show(value)}.`);
}
