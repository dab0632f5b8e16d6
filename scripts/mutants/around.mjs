import { group } from './group.mjs';

export const around = [
  ...group('test/echo/echo.spec.ts', [
    {
      says: 'echo gives back what came',
      file: 'src/echo/echo.controller.ts',
      from: '  echo(@Payload() value: unknown): unknown {\n    return value;',
      to: '  echo(@Payload() value: unknown): unknown {\n    return `${value as string} `;',
    },
    {
      says: 'health counts calls and connections',
      file: 'src/echo/echo.controller.ts',
      from: '...context.stats() }',
      to: '}',
    },
    {
      says: 'echo.stream refuses what it can not count to',
      file: 'src/echo/echo.controller.ts',
      from: 'if (isCount(items)) return',
      to: 'if (typeof items === "number") return',
    },
  ]),
  ...group('test/echo/echo-client.module.spec.ts', [
    {
      says: 'EchoClientModule takes its options from a provider too',
      file: 'src/echo/echo-client.module-definition.ts',
      from: "setClassMethodName('forRoot')",
      to: "setClassMethodName('register')",
    },
  ]),
  ...group('test/sidecar/config.spec.ts', [
    {
      says: 'wrong values of the environment stop the start, a line each',
      file: 'src/sidecar/sidecar.config.ts',
      from: "name.startsWith('UDS_') || KNOWN.includes(name)",
      to: 'KNOWN.includes(name)',
    },
    {
      says: '.env.example lists every variable with its default',
      file: '.env.example',
      from: 'UDS_BACKLOG=511',
      to: 'UDS_BACKLOG=512',
    },
  ]),
  ...group('test/e2e/sidecar.spec.ts', [
    {
      says: 'a sidecar serves on where the reader of its log has gone',
      file: 'src/main.ts',
      from: "output.on('error', () => undefined);",
      to: 'void output;',
      name: 'where the reader of its log has gone',
      builds: true,
    },
  ]),
  ...group('test/transport/shutdown.spec.ts', [
    {
      says: 'a logger that throws keeps nothing open',
      file: 'src/transport/uds.shutdown.ts',
      from: "new SafeLogger('Shutdown')",
      to: "new (Object.getPrototypeOf(SafeLogger) as typeof SafeLogger)('Shutdown')",
      name: 'where the logger throws',
    },
    {
      says: 'a shutdown closes the transport first, then the application',
      file: 'src/transport/uds.shutdown.ts',
      from: 'await Promise.allSettled(servers.map(async (server) => await server.close()));',
      to: 'await Promise.allSettled([]);',
    },
  ]),
  ...group('test/sidecar/sidecar.spec.ts', [
    {
      says: 'the folder of the default path is made, for its owner alone',
      file: 'src/sidecar/sidecar.ts',
      from: 'await mkdir(folder, { mode: 0o700 });',
      to: 'await mkdir(folder);',
    },
  ]),
  ...group('test/e2e/sidecar.spec.ts', [
    {
      says: 'SIGTERM and SIGINT end the sidecar with 0',
      file: 'src/transport/uds.shutdown.ts',
      from: 'if (code !== undefined) host.exit(code);',
      to: 'if (code !== undefined) host.exit(7);',
      name: 'finishes, removes its socket and exits with 0',
      builds: true,
    },
  ]),
  ...group('test/e2e/demo.spec.ts', [
    {
      says: 'the demo fails where an echo is wrong',
      file: 'src/demo/echo-run.ts',
      from: 'if (echo !== message) throw',
      to: 'if (echo === undefined) throw',
      name: 'exits with 1 and the reason where an echo is wrong',
      builds: true,
    },
  ]),
  ...group('test/docs', [
    {
      says: 'each error code is documented as it is',
      file: 'docs/errors.md',
      from: '| `QUEUE_FULL` | connection | yes | yes |',
      to: '| `QUEUE_FULL` | connection | yes | no |',
      spec: 'test/docs/errors.spec.ts',
    },
    {
      says: 'each option is documented as it is',
      file: 'docs/options.md',
      from: '| 511 |',
      to: '| 512 |',
      spec: 'test/docs/options.spec.ts',
    },
    {
      says: "README's code runs",
      file: 'README.md',
      from: "this.prices.send<{ cents: number }>('price', item)",
      to: "this.prices.send<{ cents: number }>('prize', item)",
      spec: 'test/docs/readme.spec.ts',
    },
  ]),
];
