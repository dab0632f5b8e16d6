/** What a person must know before the transport is changed: a sentence, and the titles of the scenarios that hold it. */
interface Change {
  readonly says: string;
  readonly scenarios: readonly string[];
}

export const changes: readonly Change[] = [
  {
    says:
      '**Limits are on by default** ([options.md](options.md)): the first answer has to come within 30 s ' +
      '(`requestTimeoutMs`, 0 waits for ever), payloads and answers hold up to 16 MiB (`maxFrameBytes`), metadata ' +
      '8 KiB (`maxMetadataBytes`), an Observable may be 1 MiB ahead of its reader (`maxStreamBufferBytes`), and ' +
      '100,000 calls may wait to be sent (`maxQueuedCalls`).',
    scenarios: ['Limits'],
  },
  {
    says:
      '**Leaving a call cancels it.** Unsubscribing, `take(1)`, rxjs `timeout()` or a lost connection tear down an ' +
      "Observable or a generator. A promise runs to its end, as over TCP; the context's `signal` tells it that nobody waits.",
    scenarios: ['Leaving a call', 'Processing hooks'],
  },
  {
    says: '**Generators, async iterables and Readables stream** their values; over TCP they arrive as `{}`.',
    scenarios: ['What a handler returns', 'Where a handler throws', 'Interceptors'],
  },
  {
    says: '**A Buffer stays a Buffer** where it is the whole payload, answer or error; inside an object JSON writes it, as over TCP.',
    scenarios: ['Values', 'What a handler throws'],
  },
  {
    says: '**What JSON cannot hold fails with a code**, where over TCP the caller waits for ever or a value is lost.',
    scenarios: [
      'Answers that JSON cannot hold',
      'Payloads that JSON cannot hold',
      'Serializers and deserializers at work',
    ],
  },
  {
    says:
      "**The transport's own errors are a `UdsError` with a `code`** ([errors.md](errors.md)), such as NO_HANDLER in " +
      "place of Nest's string. What handlers, guards, pipes and filters throw arrives as over TCP: an RpcException verbatim.",
    scenarios: ['Missing handlers, patterns and payloads', 'Connecting', 'What an exception filter returns'],
  },
  {
    says: '**`close()` waits** for what runs, up to `closeTimeoutMs` (10 s), and a call waits for a server that is being replaced.',
    scenarios: ['Closing', 'Hybrid applications'],
  },
  {
    says: '**The context is a `UdsContext`** in place of a `TcpContext`; it has the same pattern, metadata and arguments.',
    scenarios: ['Parameters'],
  },
  {
    says: '**The transport id is `UDS_TRANSPORT`** in place of `Transport.TCP`, for handlers that are pinned to one.',
    scenarios: ['Handlers that are pinned to a transport', 'Patterns', '`status`, `on()` and `unwrap()`'],
  },
];
