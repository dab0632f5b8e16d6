import { runDemo } from './demo.js';

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => stop.abort(new Error(`${signal} stopped it.`)));
}

// Without a path the demo starts a sidecar of its own.
process.exitCode = await runDemo({
  path: process.argv[2],
  stop: stop.signal,
  print: (line) => console.log(line),
});
