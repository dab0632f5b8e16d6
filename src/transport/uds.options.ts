import type { Deserializer, Serializer } from '@nestjs/microservices';
import type { EndpointPlace, OnGone, OnLive } from '../net/endpoint.js';
import type { OnOpenDirectory } from '../net/socket-file.js';
import { errorOf } from '../protocol/errors.js';
import { CHOICE_TABLE } from './uds.choice-table.js';
import { resolveEndpoints, type UdsEndpoint } from './uds.endpoints.js';
import { choiceOf, numberOf, pathOf, refuseUnknown } from './uds.option-check.js';
import type { OptionSide } from './uds.option-row.js';
import { OPTION_TABLE } from './uds.option-table.js';
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
  /** After how long a silence the peer is asked whether it lives, and how often one of a text dialect or raw that is held back is looked after; 0 is never. Default: 15,000 ms; from 0 to 2,147,483,647. */
  readonly heartbeatIntervalMs?: number;
  /** How long it may take to answer; longer than any handler computes without a pause. Default: 45,000 ms; from 1 to 2,147,483,647. */
  readonly heartbeatTimeoutMs?: number;
  /** As of Nest's own transports: turns packets into what travels. */
  readonly serializer?: Serializer;
  /** As of Nest's own transports: the other way round. */
  readonly deserializer?: Deserializer;
}

/** Where a server is reached: at one path, in all dialects but raw, or at endpoints. */
export type UdsServerPlace =
  | {
      /** Where the socket file is; a relative path begins at the process's working directory. At most 88 bytes. Short for `endpoints: [{ path }]`. */
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
  /** Connections that may be open on one endpoint; one more is refused. One that is silent from its first moment is not timed out, but makes room where there is none. Default: 16,384; from 1 to 1,000,000. */
  readonly maxConnections?: number;
  /** How long one who has connected may be silent before it is closed for another where maxConnections are open. Default: 1,000 ms; from 0 to 2,147,483,647. */
  readonly silentGraceMs?: number;
  /** Requests in flight on one connection; a client lets the next one wait. Default: 2,048; from 16 to 1,000,000. */
  readonly maxInFlight?: number;
  /** Events under way on one connection; a client lets the next one wait. Default: 1,024; from 16 to 1,000,000. */
  readonly maxEvents?: number;
  /** The longest metadata of one call, as JSON. Default: 8,192 bytes; from 0 to 65,535. */
  readonly maxMetadataBytes?: number;
  /** What all connections together may hold: long frames that come, calls under way, answers that wait; unless it is given a quarter of the heap that Node may have. Who would take more is not read until there is room. Default: as the system has it; from 1,048,576 to 68,719,476,736. */
  readonly maxTotalBufferedBytes?: number;
  /** What an Observable may be ahead of its reader before its call fails with STREAM_OVERFLOW. Default: 1,048,576 bytes; from 1,024 to 1,073,741,824. */
  readonly maxStreamBufferBytes?: number;
  /** How long one write may take to leave, while more than maxBufferedBytes wait for its peer, before the connection is cut. Default: 30,000 ms; from 1 to 2,147,483,647. */
  readonly slowReaderTimeoutMs?: number;
  /** How long a client's hello may take, from its first byte. Default: 5,000 ms; from 1 to 2,147,483,647. */
  readonly helloTimeoutMs?: number;
  /** How long a frame that has begun may stand still (less than 64 KiB of it come) before the connection is cut; 0 is for ever. Default: 30,000 ms; from 0 to 2,147,483,647. */
  readonly partialFrameTimeoutMs?: number;
  /** How long a server that is there already may take to say who it is, and that it leaves; silence counts as alive. Default: 1,000 ms; from 1 to 2,147,483,647. */
  readonly probeTimeoutMs?: number;
  /** How long others who bind, replace or remove the same socket file are waited for. Default: 10,000 ms; from 1 to 2,147,483,647. */
  readonly lockTimeoutMs?: number;
  /** How often it is looked whether the socket file is still there; 0 is never. Default: 2,000 ms; from 0 to 2,147,483,647. */
  readonly fileCheckIntervalMs?: number;
  /** How long a closing server waits for the first word of who has connected and said nothing. Default: 500 ms; from 0 to 2,147,483,647. */
  readonly silentDrainMs?: number;
  /** Lines of log of one code within logWindowMs; those behind them are counted, and told in one line. Default: 20; from 1 to 1,000,000. */
  readonly maxLogLinesPerCode?: number;
  /** How long lines of log of one code are counted before the first ones are written in full again. Default: 10,000 ms; from 1 to 2,147,483,647. */
  readonly logWindowMs?: number;
  /** What to do where a live server has the socket file: fail with ADDRESS_IN_USE, or take its place; it then finishes what it has and closes. Default: refuse. */
  readonly onLive?: OnLive;
  /** What to do where the socket file is gone while the server lives: say so, or make it anew too. Default: warn. */
  readonly onGone?: OnGone;
  /** What to do where everybody may write a directory on the way to the socket file that is not sticky: fail with OPEN_DIRECTORY, or say so in the log. Default: refuse. */
  readonly onOpenDirectory?: OnOpenDirectory;
}

/** What `new UdsClient` and `udsClient` take. */
export interface UdsClientOptions extends UdsSharedOptions {
  /** Where the socket file is; a relative path begins at the process's working directory. At most 107 bytes. */
  readonly path: string;
  /** Connections that calls are spread over; each keeps the order of its own calls, and counts towards the maxConnections of the server. Default: 1; from 1 to 1,024. */
  readonly connections?: number;
  /** How long connect() and the calls that wait for it try to reach a server. Default: 2,000 ms; from 1 to 2,147,483,647. */
  readonly connectTimeoutMs?: number;
  /** How long a client that has lost its server tries to get it back while no call asks for it. Default: 60,000 ms; from 0 to 2,147,483,647. */
  readonly reconnectTimeoutMs?: number;
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
  NumbersOf<'server'> & {
    readonly endpoints: readonly EndpointPlace[];
    readonly onLive: OnLive;
    readonly onGone: OnGone;
    readonly onOpenDirectory: OnOpenDirectory;
  };
export type ResolvedClientOptions = ResolvedShared & NumbersOf<'client'> & { readonly path: string };

const OTHER_OPTIONS = ['name', 'serializer', 'deserializer'];

/** @throws UsageError INVALID_OPTION that names the option, its value and what is allowed. */
export function resolveServerOptions(options: UdsServerOptions): ResolvedServerOptions {
  const names = CHOICE_TABLE.map((row) => row.name);
  const resolved: Record<string, unknown> = {
    ...resolve('server', options, ['path', 'endpoints', ...names]),
  };
  const { path, endpoints, ...rest } = resolved;
  for (const row of CHOICE_TABLE) rest[row.name] = choiceOf(row, rest[row.name]);
  rest['endpoints'] = resolveEndpoints(path, endpoints, rest['mode'] as number);
  refuseTogether(rest as unknown as ResolvedServerOptions);
  return rest as unknown as ResolvedServerOptions;
}

/** @throws UsageError INVALID_OPTION for options that make no sense beside each other. */
function refuseTogether({ onLive, onGone, fileCheckIntervalMs, endpoints }: ResolvedServerOptions): void {
  if (onGone === 'recreate' && fileCheckIntervalMs === 0) {
    throw errorOf(
      'INVALID_OPTION',
      "Option onGone is 'recreate' and fileCheckIntervalMs 0: nobody would notice that the file has gone.",
    );
  }
  const mute = endpoints.find(({ dialects }) => !dialects.includes('binary'));
  if (onLive === 'takeover' && mute !== undefined) {
    throw errorOf(
      'INVALID_OPTION',
      `Option onLive is 'takeover', but the endpoint ${mute.path} does not serve the dialect binary: a server there could not be told to leave.`,
    );
  }
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
