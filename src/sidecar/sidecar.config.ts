import type { DynamicModule, LogLevel } from '@nestjs/common';
import { ConfigModule } from '@nestjs/config';
import { z } from 'zod';
import { ECHO_PATTERN } from '../echo/echo.contract.js';
import type { UdsEndpoint } from '../transport/uds.endpoints.js';
import { CHOICE_TABLE } from '../transport/uds.choice-table.js';
import type { UdsServerSettings } from '../transport/uds.options.js';
import {
  LOG_FORMATS,
  LOG_LEVELS,
  SERVER_ROWS,
  SIDECAR_VARIABLES,
  variableNameOf,
} from './sidecar.variables.js';

export type LogFormat = (typeof LOG_FORMATS)[number];

/** What the environment asks for; `ConfigService.getOrThrow<SidecarConfig>('sidecar')` gives it. */
export interface SidecarConfig {
  readonly server: UdsServerSettings & { readonly endpoints: readonly UdsEndpoint[] };
  readonly path: string;
  /** Where plain bytes are echoed, if they are. */
  readonly rawPath: string | undefined;
  readonly log: { readonly levels: LogLevel[]; readonly format: LogFormat };
}

/** The environment asks for what can't be: one line for each variable that is wrong. */
export class SidecarConfigError extends Error {
  override readonly name = 'SidecarConfigError';

  constructor(
    readonly lines: readonly string[],
    readonly format: LogFormat,
  ) {
    super(lines.join('\n'));
  }
}

type Environment = Readonly<Record<string, string | undefined>>;

/** What the schema makes of the environment. */
type Values = Readonly<Record<string, unknown>> & {
  readonly UDS_PATH: string;
  readonly UDS_RAW_PATH: string | undefined;
  readonly UDS_NAME: string;
  readonly LOG_LEVEL: (typeof LOG_LEVELS)[number];
  readonly LOG_FORMAT: LogFormat;
};

const KNOWN = SIDECAR_VARIABLES.map((variable) => variable.name);
const SCHEMA = z.strictObject(
  Object.fromEntries(SIDECAR_VARIABLES.map(({ name, schema }) => [name, schema])),
);

/**
 * Reads the environment, and beneath it a `.env` file of the working directory.
 *
 * @throws SidecarConfigError
 */
export async function loadSidecarConfig(): Promise<{ config: SidecarConfig; module: DynamicModule }> {
  let config: SidecarConfig | undefined;
  const module = await ConfigModule.forRoot({
    isGlobal: true,
    validate: (environment) => {
      config = parseEnvironment(environment);
      // An object, since Nest would write what is text or a number back into the environment.
      return { sidecar: config };
    },
  });
  if (config === undefined) throw new Error('Nest did not validate the environment.');
  return { config, module };
}

/** @throws SidecarConfigError */
export function parseEnvironment(environment: Environment): SidecarConfig {
  // Whatever begins with UDS_ is meant for us: a name that is spelled wrong must not be passed over.
  const ours = Object.entries(environment).filter(
    ([name]) => name.startsWith('UDS_') || KNOWN.includes(name),
  );
  const result = SCHEMA.safeParse(Object.fromEntries(ours));
  if (result.success) return configOf(result.data as Values);
  const lines = result.error.issues.flatMap((issue) => linesOf(issue, environment));
  throw new SidecarConfigError([...new Set(lines)], environment['LOG_FORMAT'] === 'json' ? 'json' : 'text');
}

function configOf(values: Values): SidecarConfig {
  const { UDS_PATH: path, UDS_RAW_PATH: rawPath } = values;
  const raw = { path: rawPath ?? '', dialects: ['raw'], pattern: ECHO_PATTERN } as const;
  const rows = [...SERVER_ROWS, ...CHOICE_TABLE];
  const options = rows.map((row) => [row.name, values[variableNameOf(row)]] as const);
  const given = Object.fromEntries(options.filter(([, value]) => value !== undefined));
  return {
    server: {
      endpoints: [{ path }, ...(rawPath === undefined ? [] : [raw])],
      name: values.UDS_NAME,
      ...given,
    },
    path,
    rawPath,
    log: {
      levels: LOG_LEVELS.slice(0, LOG_LEVELS.indexOf(values.LOG_LEVEL) + 1),
      format: values.LOG_FORMAT,
    },
  };
}

function linesOf(issue: z.core.$ZodIssue, environment: Environment): string[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((name) => `${name} is unknown. Known are: ${KNOWN.join(', ')}.`);
  }
  const name = String(issue.path[0]);
  const allowed = SIDECAR_VARIABLES.find((variable) => variable.name === name)?.allowed;
  return [`${name} is ${JSON.stringify(environment[name])}; allowed is ${allowed}.`];
}
