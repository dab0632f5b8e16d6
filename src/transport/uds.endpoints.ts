import { resolve } from 'node:path';
import type { EndpointPlace } from '../net/endpoint.js';
import { DIALECT_NAMES, type DialectName } from '../protocol/dialects/dialect.js';
import { errorOf, type UdsError } from '../protocol/errors.js';
import { numberOf, pathOf, refuseUnknown } from './uds.option-check.js';
import { MODE_ROW } from './uds.server-rows.js';
import { patternText } from './uds.pattern.js';
import { show } from './uds.show.js';

/** A wire format; docs/PROTOCOL.md has a section for each. */
export type UdsDialect = DialectName;

/** One of the places where a server is reached. */
export interface UdsEndpoint {
  /** Where the socket file is; a relative path begins at the process's working directory. At most 88 bytes. */
  readonly path: string;
  /** Permissions of this socket file. Default: the option `mode` of the server. */
  readonly mode?: number;
  /**
   * What is spoken here; the first byte of a connection tells which. Default: binary, ndjson and nest-json. `raw` has no
   * first byte of its own and stands alone.
   */
  readonly dialects?: readonly UdsDialect[];
  /** Of a `raw` endpoint, and needed there: the pattern whose handler is given the bytes, as `@MessagePattern` takes it. */
  readonly pattern?: string | number | object;
}

const DEFAULT_DIALECTS: readonly DialectName[] = ['binary', 'ndjson', 'nest-json'];
const ENDPOINT_OPTIONS = ['path', 'mode', 'dialects', 'pattern'];

/**
 * The places that `path`, short for one endpoint, or `endpoints` name.
 *
 * @param mode of the endpoints that have none of their own.
 * @throws UsageError INVALID_OPTION
 */
export function resolveEndpoints(path: unknown, endpoints: unknown, mode: number): EndpointPlace[] {
  if (endpoints === undefined) return [{ path: pathOf('path', path), mode, dialects: DEFAULT_DIALECTS }];
  if (path !== undefined)
    throw invalid('Options path and endpoints are both given: path is short for one endpoint.');
  if (!Array.isArray(endpoints) || endpoints.length === 0) {
    throw invalid(`Option endpoints must be an array of at least one endpoint, got ${show(endpoints)}.`);
  }
  const places = endpoints.map((endpoint: unknown, index) =>
    resolveEndpoint(endpoint, `endpoints[${index}]`, mode),
  );
  const paths = places.map((place) => resolve(place.path));
  const twice = paths.find((each, index) => paths.indexOf(each) !== index);
  if (twice !== undefined) throw invalid(`Two of the endpoints have the path ${twice}.`);
  return places;
}

function resolveEndpoint(endpoint: unknown, name: string, mode: number): EndpointPlace {
  if (typeof endpoint !== 'object' || endpoint === null || Array.isArray(endpoint)) {
    throw invalid(`Option ${name} must be an object with a path, got ${show(endpoint)}.`);
  }
  refuseUnknown(`option of ${name}`, endpoint, ENDPOINT_OPTIONS);
  const given: Partial<Record<keyof UdsEndpoint, unknown>> = endpoint;
  const dialects = dialectsOf(`${name}.dialects`, given.dialects);
  const isRaw = dialects.includes('raw');
  if (isRaw && dialects.length > 1) {
    throw invalid(
      `Option ${name}.dialects has raw beside others: any byte may begin it, so it needs an endpoint of its own.`,
    );
  }
  if (isRaw !== (given.pattern !== undefined)) {
    throw invalid(
      isRaw
        ? `Option ${name}.pattern is missing: raw bytes name no pattern, so the endpoint has one.`
        : `Option ${name}.pattern is given, but only the dialect raw has one for the whole endpoint.`,
    );
  }
  return {
    path: pathOf(`${name}.path`, given.path),
    mode: numberOf({ ...MODE_ROW, default: mode }, `${name}.mode`, given.mode) ?? mode,
    dialects,
    ...(isRaw && { pattern: patternOf(`${name}.pattern`, given.pattern) }),
  };
}

function patternOf(name: string, value: unknown): string {
  try {
    const text = value === null ? '' : patternText(value);
    if (text !== '') return text;
  } catch {
    // It has no text.
  }
  throw invalid(`Option ${name} must be a pattern as @MessagePattern takes it, got ${show(value)}.`);
}

function dialectsOf(name: string, value: unknown): readonly DialectName[] {
  if (value === undefined) return DEFAULT_DIALECTS;
  const given: readonly unknown[] = Array.isArray(value) ? value : [];
  const unknown = given.find((each) => !DIALECT_NAMES.includes(each as DialectName));
  if (given.length > 0 && unknown === undefined) return [...new Set(given as DialectName[])];
  const what = given.length > 0 ? `${show(unknown)} among them` : Array.isArray(value) ? 'none' : show(value);
  throw invalid(`Option ${name} must be an array of ${DIALECT_NAMES.join(', ')}, got ${what}.`);
}

const invalid = (message: string): UdsError => errorOf('INVALID_OPTION', message);
