import type { Deserializer, Serializer } from '@nestjs/microservices';
import { errorOf } from '../protocol/errors.js';
import { OPTION_TABLE, type OptionRow, type OptionSide } from './uds.option-table.js';

export interface UdsSharedOptions {
  /** Where the socket file is. Its length is limited, see docs/options.md. */
  readonly path: string;
  /** What this end calls itself in its hello; people read it in `context.peer` and in errors. */
  readonly name?: string;
  readonly maxFrameBytes?: number;
  readonly maxBufferedBytes?: number;
  readonly closeTimeoutMs?: number;
  /** As of Nest's own transports: turns packets into what travels. */
  readonly serializer?: Serializer;
  readonly deserializer?: Deserializer;
}

/** See docs/options.md for units, defaults and limits. */
export interface UdsServerOptions extends UdsSharedOptions {
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly backlog?: number;
  readonly maxConnections?: number;
  readonly maxInFlight?: number;
  readonly maxEvents?: number;
  readonly maxMetadataBytes?: number;
  readonly maxStreamBufferBytes?: number;
  readonly helloTimeoutMs?: number;
  readonly probeTimeoutMs?: number;
}

/** See docs/options.md for units, defaults and limits. */
export interface UdsClientOptions extends UdsSharedOptions {
  readonly connectTimeoutMs?: number;
  readonly requestTimeoutMs?: number;
  readonly maxQueuedCalls?: number;
  readonly streamCreditBytes?: number;
  readonly reconnectDelayMs?: number;
  readonly maxReconnectDelayMs?: number;
}

type Row = (typeof OPTION_TABLE)[number];
type NumbersOf<Side extends OptionSide> = {
  readonly [R in Extract<Row, { side: Side | 'both' }> as R['name']]: R['default'] extends number
    ? number
    : number | undefined;
};

interface ResolvedShared {
  readonly path: string;
  readonly name: string;
  readonly serializer: Serializer | undefined;
  readonly deserializer: Deserializer | undefined;
}

export type ResolvedServerOptions = ResolvedShared & NumbersOf<'server'>;
export type ResolvedClientOptions = ResolvedShared & NumbersOf<'client'>;

const OTHER_OPTIONS = ['path', 'name', 'serializer', 'deserializer'];

/** @throws UsageError INVALID_OPTION that names the option, its value and what is allowed. */
export function resolveServerOptions(options: UdsServerOptions): ResolvedServerOptions {
  return resolve('server', options) as ResolvedServerOptions;
}

/** @throws UsageError INVALID_OPTION that names the option, its value and what is allowed. */
export function resolveClientOptions(options: UdsClientOptions): ResolvedClientOptions {
  return resolve('client', options) as ResolvedClientOptions;
}

function resolve(side: 'server' | 'client', options: UdsServerOptions | UdsClientOptions): object {
  // Plain JavaScript and Nest's factories hand over anything, so the types are no proof.
  const given: Record<string, unknown> = { ...(options as object | undefined) };
  const rows = OPTION_TABLE.filter((row) => row.side === side || row.side === 'both');
  refuseUnknown(side, given, [...OTHER_OPTIONS, ...rows.map((row) => row.name)]);
  const resolved: Record<string, unknown> = {
    ...given,
    path: pathOf(given['path']),
    name: nameOf(given['name']),
  };
  for (const row of rows) resolved[row.name] = numberOf(row, given[row.name]);
  return resolved;
}

function refuseUnknown(side: string, given: object, known: readonly string[]): void {
  const unknown = Object.keys(given).filter((name) => !known.includes(name));
  if (unknown.length === 0) return;
  throw errorOf(
    'INVALID_OPTION',
    `Unknown ${side} option: ${unknown.join(', ')}. Known are: ${known.join(', ')}.`,
  );
}

function pathOf(value: unknown): string {
  if (typeof value === 'string' && value !== '' && !value.includes('\0')) return value;
  throw errorOf('INVALID_OPTION', `Option path must be the path of a socket file, got ${show(value)}.`);
}

function nameOf(value: unknown): string {
  if (value === undefined) return '';
  if (typeof value === 'string') return value;
  throw errorOf('INVALID_OPTION', `Option name must be a string, got ${show(value)}.`);
}

function numberOf(row: OptionRow, value: unknown): number | undefined {
  if (value === undefined) return row.default;
  if (Number.isInteger(value) && (value as number) >= row.min && (value as number) <= row.max)
    return value as number;
  throw errorOf(
    'INVALID_OPTION',
    `Option ${row.name} must be a whole number from ${row.min} to ${row.max} (${row.unit}), got ${show(value)}.`,
  );
}

function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}
