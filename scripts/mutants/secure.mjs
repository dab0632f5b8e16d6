import { group } from './group.mjs';

/** What a hostile local peer, or a neighbour in the directory, can't do. */
export const secure = [
  ...group('test/net/held-back.spec.ts', [
    {
      says: 'calls that end as they start do not hold their connection back for ever',
      file: 'src/net/call-starter.ts',
      from: 'of this.#calls.splice(0)) {',
      to: 'of this.#calls) {',
      name: 'ndjson that knows no limits sends thousands of requests that end as they start',
    },
  ]),
  ...group('test/transport/trouble-log.spec.ts', [
    {
      says: 'lines of one code are counted past a number',
      file: 'src/transport/uds.trouble-log.ts',
      from: 'if (window.lines < this.settings.maxLogLinesPerCode) {',
      to: 'if (window.lines >= 0) {',
      name: 'then counted',
    },
    {
      says: 'each code has a count of its own',
      file: 'src/transport/uds.trouble-log.ts',
      from: 'const window = this.#windows.get(code) ??',
      to: 'const window = [...this.#windows.values()][0] ??',
      name: 'hides no other',
    },
    {
      says: 'the first lines are written again once a window has ended',
      file: 'src/transport/uds.trouble-log.ts',
      from: 'this.#windows.delete(code);',
      to: '',
      name: 'then counted',
    },
    {
      says: 'what was counted is told when the server closes',
      file: 'src/transport/uds.server.ts',
      from: '    this.#log.flush();\n',
      to: '',
      name: 'when the server closes',
    },
    {
      says: 'events without a handler are counted',
      file: 'src/transport/uds.server.ts',
      from: 'this.#log.noEventHandler(',
      to: 'this.logger.error(',
      name: 'events that nobody handles',
    },
    {
      says: 'errors that nobody can be told are counted',
      file: 'src/transport/uds.server.ts',
      from: 'this.#log.failed(error);',
      to: 'super.handleError(error as string);',
      name: 'nobody can be told',
    },
    {
      says: 'what was counted is told without characters that forge lines',
      file: 'src/transport/uds.trouble-log.ts',
      from: "this.#add('UNFILTERED_ERROR', 'error', quote(messageOf(error)), error)",
      to: "this.#add('UNFILTERED_ERROR', 'error', messageOf(error), error)",
      name: 'nobody can be told',
    },
    {
      says: 'what a peer sends is escaped in the log',
      file: 'src/protocol/quote.ts',
      from: 'return escapeUnseen(JSON.stringify(short));',
      to: 'return JSON.stringify(short);',
      name: 'can not be forged',
    },
    {
      says: 'marks that turn a line around are escaped, whichever they are',
      file: 'src/protocol/quote.ts',
      from: '[\\p{C}\\p{Zl}\\p{Zp}]',
      to: '[\\u007f-\\u009f\\u2028-\\u202e\\u2066-\\u2069]',
      name: 'can not be forged',
    },
    {
      says: 'what a peer sends is cut in the log',
      file: 'src/protocol/quote.ts',
      from: 'text.length <= MAX_QUOTED_LENGTH',
      to: 'text.length >= 0',
      name: 'can not be forged',
    },
  ]),
  ...group('test/net/path-lock.spec.ts', [
    {
      says: 'the name of a foreign file in the lock is escaped',
      file: 'src/net/path-lock.ts',
      from: '`holds ${quote(foreign.name)}`',
      to: '`holds ${foreign.name}`',
      name: 'would forge a line of log',
    },
  ]),
];
