import { group } from './group.mjs';

/** The command line, whose tests run what is built. */
const built = (spec, entries) => group(spec, entries).map((entry) => ({ ...entry, builds: true }));

export const cli = [
  ...built('test/cli/sockets.spec.ts', [
    {
      says: 'an event of ndjson is taken once its server has answered behind it',
      file: 'src/cli/client.ts',
      from: 'if (dialect instanceof AnsweringNdjson) await Promise.race([dialect.pong, this.#lost()]);',
      to: '',
      name: 'send --event --dialect ndjson says in one line that an HTTP server',
    },
    {
      says: 'the command line waits no longer than it was told, with an event too',
      file: 'src/cli/client.ts',
      from: 'within(question.timeoutMs, this.#emit(question))',
      to: 'within(0, this.#emit(question))',
      name: 'send --event --dialect ndjson waits as long as --timeout-ms',
    },
    {
      says: 'the command line waits for a connection as long as it was told',
      file: 'src/cli/client.ts',
      from: 'const limitMs = timeoutMs || TimeLimit.CONNECT;',
      to: 'const limitMs = Math.min(timeoutMs || TimeLimit.CONNECT, TimeLimit.CONNECT);',
      name: 'nest-uds send waits as long as --timeout-ms',
    },
    {
      says: 'the command line waits two seconds for a connection where it was told nothing',
      file: 'src/cli/send.ts',
      from: 'Client.connect(path, options.timeoutMs, options.dialect)',
      to: 'Client.connect(path, question.timeoutMs, options.dialect)',
      name: 'with [] waits two seconds for a connection',
    },
  ]),
  ...built('test/cli/send-errors.spec.ts', [
    {
      says: 'what the server said of an event is told',
      file: 'src/cli/client.ts',
      from: 'closed: (_connection, error) => end(error),',
      to: 'closed: () => end(undefined),',
      name: 'could not read the event',
    },
    {
      says: 'an event that failed leaves no connection behind on which the command waits',
      file: 'src/cli/send.ts',
      from: '    client.close();\n    return ExitCode.FAILED;',
      to: '    await client.closed;\n    return ExitCode.FAILED;',
      name: 'send --dialect binary, in one line and with exit code 1 says that a payload is too long',
    },
    {
      says: 'the command line says what to do next',
      file: 'src/cli/next-step.ts',
      from: 'return next === undefined ? said',
      to: 'return next !== undefined ? said',
      name: 'says that nobody serves a pattern',
    },
    {
      says: 'the command line names no option that it has not',
      file: 'src/cli/next-step.ts',
      from: '(INSTEAD[code] ?? message)',
      to: '(INSTEAD.BAD_HELLO ?? message)',
      name: 'binary, in one line and with exit code 1 says that the time is up',
    },
  ]),
  ...built('test/cli/ping.spec.ts', [
    {
      says: 'a ping that has reached nobody ends with 130 at Ctrl-C',
      file: 'src/cli/ping.ts',
      // Without it the process is ended by the signal, and has no code.
      from: "process.on('SIGINT',",
      to: "process.on('SIGUSR2',",
      name: 'exits with 130 at Ctrl-C',
    },
    {
      says: 'the summary of ping is that of its lines',
      file: 'src/cli/times.ts',
      from: 'this.min = Math.min(this.min, ns);',
      to: 'this.min = Math.min(this.min, ns - 1_000);',
      name: 'sums up the times that it printed',
    },
  ]),
  ...built('test/cli/ping-losses.spec.ts', [
    {
      says: 'a ping that waits for the next server sums up at Ctrl-C',
      file: 'src/cli/ping.ts',
      from: 'until(stop, this.#timed(',
      to: 'until(stop.aborted ? stop : new AbortController().signal, this.#timed(',
      name: 'sums up at Ctrl-C also while',
    },
  ]),
  ...group('test/net/connect.spec.ts', [
    {
      says: 'what is no socket is told from one on which nobody listens',
      file: 'src/net/dialer.ts',
      from: "errno === 'ECONNREFUSED' && (await isNoSocket(path))",
      to: 'false',
      name: 'NOT_A_SOCKET at once',
    },
    {
      says: 'a link is judged by what it leads to',
      file: 'src/net/dialer.ts',
      from: 'await stat(path).then(',
      to: 'await (await import("node:fs/promises")).lstat(path).then(',
      name: 'at a link that leads to a socket',
    },
  ]),
  ...group('test/protocol/raw-work.spec.ts', [
    {
      says: 'raw bytes are copied out of their chunk',
      file: 'src/protocol/dialects/raw.ts',
      from: 'message.payload = Buffer.from(chunk);\n    message.credit',
      to: 'message.payload = chunk;\n    message.credit',
      name: 'is one message a chunk',
    },
    {
      says: 'raw bytes are copied once',
      file: 'src/protocol/dialects/raw.ts',
      from: 'message.payload = Buffer.from(chunk);\n    message.credit',
      to: 'message.payload = Buffer.from(Buffer.from(chunk));\n    message.credit',
      name: 'copies each byte once',
    },
  ]),
];
