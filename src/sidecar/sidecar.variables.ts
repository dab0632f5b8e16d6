import { z } from 'zod';
import { CHOICE_TABLE, type ChoiceRow } from '../transport/uds.choice-table.js';
import type { OptionRow } from '../transport/uds.option-row.js';
import { OPTION_TABLE } from '../transport/uds.option-table.js';

export const DEFAULT_PATH = './run/echo.sock';

/** From the few that matter most to all there are; a level brings those before it along. */
export const LOG_LEVELS = ['fatal', 'error', 'warn', 'log', 'debug', 'verbose'] as const;
export const LOG_FORMATS = ['text', 'json'] as const;

/** One environment variable of the sidecar. */
export interface SidecarVariable {
  readonly name: string;
  /** As it would stand in the environment; empty where the system decides. */
  readonly default: string;
  readonly says: string;
  readonly allowed: string;
  /** What nothing means, where the default is empty. */
  readonly empty?: string;
  /** Reads the text of the environment. */
  readonly schema: z.ZodType<unknown, string | undefined>;
}

const PATH: SidecarVariable = {
  name: 'UDS_PATH',
  default: DEFAULT_PATH,
  says: 'Where the socket file is. The folder of the default is made; any other must be there.',
  allowed: 'a path, not empty',
  schema: z.string().min(1).default(DEFAULT_PATH),
};

const RAW_PATH: SidecarVariable = {
  name: 'UDS_RAW_PATH',
  default: '',
  says: 'Where a second socket file is that echoes plain bytes, for what speaks no protocol. Its folder must be there.',
  allowed: 'a path',
  empty: 'there is none',
  schema: z
    .string()
    .transform((path) => (path === '' ? undefined : path))
    .optional(),
};

const NAME: SidecarVariable = {
  name: 'UDS_NAME',
  default: 'echo',
  says: 'What the server calls itself to its clients.',
  allowed: 'a name, not empty',
  schema: z.string().min(1).default('echo'),
};

const LOG_LEVEL: SidecarVariable = {
  name: 'LOG_LEVEL',
  default: 'log',
  says: 'The least important lines that are logged.',
  allowed: `one of ${LOG_LEVELS.join(', ')}`,
  schema: z.enum(LOG_LEVELS).default('log'),
};

const LOG_FORMAT: SidecarVariable = {
  name: 'LOG_FORMAT',
  default: 'text',
  says: 'Text for people, or one JSON object a line for machines.',
  allowed: `one of ${LOG_FORMATS.join(', ')}`,
  schema: z.enum(LOG_FORMATS).default('text'),
};

/** `maxFrameBytes` is set by UDS_MAX_FRAME_BYTES. */
export const variableNameOf = (row: { readonly name: string }): string =>
  `UDS_${row.name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;

/** The numeric options of the server. */
export const SERVER_ROWS: readonly OptionRow[] = OPTION_TABLE.filter((row) => row.side !== 'client');

/** Every variable there is, in the order of .env.example; a test holds that file against them. */
export const SIDECAR_VARIABLES: readonly SidecarVariable[] = [
  PATH,
  RAW_PATH,
  NAME,
  ...SERVER_ROWS.map(numericVariable),
  ...CHOICE_TABLE.map(choiceVariable),
  LOG_LEVEL,
  LOG_FORMAT,
];

function numericVariable(row: OptionRow): SidecarVariable {
  const inRange = z.int().min(row.min).max(row.max);
  const number =
    row.unit === 'octal'
      ? z.stringFormat('octal', /^[0-7]+$/).transform((text) => Number.parseInt(text, 8))
      : z.stringFormat('decimal', /^\d+$/).transform(Number);
  const given = number.pipe(inRange);
  const unit = row.unit === 'bytes' || row.unit === 'ms' ? ` ${row.unit}` : '';
  const range = `from ${show(row, row.min)} to ${show(row, row.max)}${unit}`;
  return {
    name: variableNameOf(row),
    default: row.default === undefined ? '' : show(row, row.default),
    says: row.says,
    allowed: row.unit === 'octal' ? `an octal number ${range}` : `a whole number ${range}`,
    ...(row.default === undefined && { empty: 'as the system has it' }),
    schema:
      row.default === undefined
        ? z.union([z.literal('').transform(() => undefined), given]).optional()
        : given.default(row.default),
  };
}

function choiceVariable(row: ChoiceRow): SidecarVariable {
  const { choices, says } = row;
  return {
    name: variableNameOf(row),
    default: choices[0],
    says,
    allowed: `one of ${choices.join(', ')}`,
    schema: z.enum(choices).default(choices[0]),
  };
}

function show(row: OptionRow, value: number): string {
  return row.unit === 'octal' ? value.toString(8).padStart(4, '0') : String(value);
}
