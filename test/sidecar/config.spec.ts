import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { CHOICE_TABLE, OPTION_TABLE } from '../../src/index.js';
import { parseEnvironment, SidecarConfigError } from '../../src/sidecar/sidecar.config.js';
import { SIDECAR_VARIABLES } from '../../src/sidecar/sidecar.variables.js';

/** What `parseEnvironment` says is wrong. */
function linesFor(environment: Record<string, string>): readonly string[] {
  try {
    parseEnvironment(environment);
  } catch (error) {
    if (error instanceof SidecarConfigError) return error.lines;
    throw error;
  }
  throw new Error('It was taken.');
}

describe('the environment', () => {
  it('need not say anything', () => {
    expect(parseEnvironment({ PATH: '/bin', HOME: '/' })).toEqual({
      path: './run/echo.sock',
      rawPath: undefined,
      server: {
        endpoints: [{ path: './run/echo.sock' }],
        name: 'echo',
        maxFrameBytes: 16_777_216,
        maxBufferedBytes: 1_048_576,
        closeTimeoutMs: 10_000,
        mode: 0o600,
        backlog: 511,
        maxConnections: 16_384,
        maxInFlight: 2048,
        maxEvents: 1024,
        maxMetadataBytes: 8192,
        maxStreamBufferBytes: 1_048_576,
        partialFrameTimeoutMs: 30_000,
        silentGraceMs: 1000,
        helloTimeoutMs: 5000,
        slowReaderTimeoutMs: 30_000,
        probeTimeoutMs: 1000,
        lockTimeoutMs: 10_000,
        fileCheckIntervalMs: 2000,
        silentDrainMs: 500,
        maxLogLinesPerCode: 20,
        logWindowMs: 10_000,
        heartbeatIntervalMs: 15_000,
        heartbeatTimeoutMs: 45_000,
        onLive: 'refuse',
        onGone: 'warn',
        onOpenDirectory: 'refuse',
      },
      log: { levels: ['fatal', 'error', 'warn', 'log'], format: 'text' },
    });
  });

  it('has a variable for each number and word that is an option of the server, and for none of the client alone', () => {
    const numeric = OPTION_TABLE.filter((row) => row.side !== 'client').map((row) => row.name);
    const words = (name: string): string => name.replaceAll('_', '').toLowerCase();
    const named = SIDECAR_VARIABLES.map(({ name }) => words(name.replace('UDS_', '')));
    const options = [...numeric, ...CHOICE_TABLE.map((row) => row.name)].map(words);
    expect(named).toEqual(['path', 'rawpath', 'name', ...options, 'loglevel', 'logformat']);
  });

  it('sets what it says', () => {
    const { server, log } = parseEnvironment({
      UDS_PATH: '/run/app/app.sock',
      UDS_RAW_PATH: '/run/app/raw.sock',
      UDS_NAME: 'app',
      UDS_MAX_FRAME_BYTES: '65536',
      UDS_MODE: '0660',
      UDS_GID: '0',
      UDS_UID: '',
      LOG_LEVEL: 'verbose',
      LOG_FORMAT: 'json',
    });
    expect(server).toMatchObject({
      endpoints: [
        { path: '/run/app/app.sock' },
        { path: '/run/app/raw.sock', dialects: ['raw'], pattern: 'echo' },
      ],
      name: 'app',
      maxFrameBytes: 65_536,
      mode: 0o660,
      gid: 0,
    });
    expect(server).not.toHaveProperty('uid');
    expect(log).toEqual({ levels: ['fatal', 'error', 'warn', 'log', 'debug', 'verbose'], format: 'json' });
  });

  it.each([
    ['UDS_MAX_FRAME_BYTES', '65535', 'a whole number from 65536 to 1073741824 bytes'],
    ['UDS_MAX_FRAME_BYTES', '16MB', 'a whole number from 65536 to 1073741824 bytes'],
    ['UDS_MAX_FRAME_BYTES', '', 'a whole number from 65536 to 1073741824 bytes'],
    ['UDS_BACKLOG', '1.5', 'a whole number from 1 to 65535'],
    ['UDS_BACKLOG', '-1', 'a whole number from 1 to 65535'],
    ['UDS_HELLO_TIMEOUT_MS', '1e3', 'a whole number from 1 to 2147483647 ms'],
    ['UDS_UID', '99999999999999999999', 'a whole number from 0 to 4294967294'],
    ['UDS_UID', 'root', 'a whole number from 0 to 4294967294'],
    ['UDS_MODE', '0o600', 'an octal number from 0000 to 0777'],
    ['UDS_MODE', '0688', 'an octal number from 0000 to 0777'],
    ['UDS_MODE', '7777', 'an octal number from 0000 to 0777'],
    ['UDS_PATH', '', 'a path, not empty'],
    ['UDS_NAME', '', 'a name, not empty'],
    ['LOG_LEVEL', 'info', 'one of fatal, error, warn, log, debug, verbose'],
    ['LOG_FORMAT', 'JSON', 'one of text, json'],
  ])('is refused where %s is "%s"', (name, value, allowed) => {
    expect(linesFor({ [name]: value })).toEqual([`${name} is "${value}"; allowed is ${allowed}.`]);
  });

  it('is refused with a line for each variable that is wrong', () => {
    const lines = linesFor({
      UDS_MODE: '9',
      UDS_BACKLOG: '0',
      UDS_PATHH: 'x',
      UDS_REQUEST_TIMEOUT_MS: '1',
      LOG: 'x',
    });
    expect(lines.map((line) => line.split(' ')[0])).toEqual([
      'UDS_MODE',
      'UDS_BACKLOG',
      'UDS_PATHH',
      'UDS_REQUEST_TIMEOUT_MS',
    ]);
    expect(lines[2]).toBe(
      `UDS_PATHH is unknown. Known are: ${SIDECAR_VARIABLES.map(({ name }) => name).join(', ')}.`,
    );
  });
});

describe('.env.example', () => {
  const text = readFileSync('.env.example', 'utf8');
  const assignments = [...text.matchAll(/^#? ?([A-Z_]+)=(.*)$/gm)].map(
    ([, name, value]) => [name!, value!] as const,
  );

  it('lists every variable with its default, and no more', () => {
    expect(assignments).toEqual(SIDECAR_VARIABLES.map((variable) => [variable.name, variable.default]));
  });

  it('changes nothing where it is copied as it is', () => {
    expect(parseEnvironment(Object.fromEntries(assignments))).toEqual(parseEnvironment({}));
  });

  it.each(SIDECAR_VARIABLES.map((variable) => [variable.name, variable] as const))(
    'says of %s what it is and what is allowed',
    (name, variable) => {
      const paragraph = text.split('\n\n').find((part) => part.includes(`\n${name}=`));
      const empty = variable.default === '' ? `, or nothing: ${variable.empty}` : '';
      expect(paragraph?.trim()).toBe(
        `# ${variable.says}\n# Allowed: ${variable.allowed}${empty}.\n${name}=${variable.default}`,
      );
    },
  );
});
