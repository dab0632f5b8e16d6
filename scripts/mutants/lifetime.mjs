const group = (spec, mutants) => mutants.map((mutant) => ({ ...mutant, spec }));

/** Servers that come and go, clients that find them again. */
export const lifetime = [
  ...group('test/transport/reconnect-alone.spec.ts', [
    {
      says: 'a client that has lost its server tries to get it back',
      keeps:
        'A client that has lost its server gets it back by itself, and more and more slowly where that fails.',
      file: 'src/net/channel.ts',
      from: 'this.#dialing.wish();',
      to: 'void 0;',
      name: 'gets it back though nobody calls',
    },
    {
      says: 'it does so for a while',
      file: 'src/net/redial.ts',
      from: 'if (performance.now() + delayMs >= wish.endsAtMs()) throw failure;',
      to: '',
      name: 'tries for reconnectTimeoutMs and no longer',
    },
    {
      says: 'not where it is told not to',
      file: 'src/net/dialing.ts',
      from: 'if (reconnectTimeoutMs > 0) void',
      to: 'void',
      name: 'where reconnectTimeoutMs is 0',
    },
    {
      says: 'trying does not keep a process alive',
      file: 'src/net/redial.ts',
      from: '{ signal: stop, ref: false }',
      to: '{ signal: stop }',
      name: 'is not kept alive',
      builds: true,
    },
    {
      says: 'a client that was closed asks for nothing',
      file: 'src/net/channel.ts',
      from: '    const { closeTimeoutMs } = this.settings;\n    this.#isInUse = false;',
      to: '    const { closeTimeoutMs } = this.settings;',
      name: 'once the client was closed',
    },
    {
      says: 'a server that says hello and goes is asked less and less often',
      file: 'src/net/dialing.ts',
      from: 'isShortLived ? this.#shortLived + 1 : 0;',
      to: '0;',
      name: 'says hello and goes',
    },
    {
      says: 'each call waits connectTimeoutMs of its own: those before it are not held',
      keeps: 'Each call waits for a server `connectTimeoutMs` of its own.',
      file: 'src/net/dialing.ts',
      from: 'this.#patience.arm(performance.now() + connectTimeoutMs);',
      to: '',
      name: 'connectTimeoutMs of its own',
    },
    {
      says: 'each call waits connectTimeoutMs of its own: those behind it are not failed',
      file: 'src/net/channel.ts',
      from: 'if (call.waitsSinceMs > sinceMs) nextMs',
      to: 'if (sinceMs < 0) nextMs',
      name: 'connectTimeoutMs of its own',
    },
  ]),
];
