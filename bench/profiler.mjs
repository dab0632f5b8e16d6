// V8's sampling profiler in the process of a peer: what was on top of the stack, function by function.
import { Session } from 'node:inspector/promises';

const INTERVAL_US = 100;

let session;

/** Starts; or ends, and gives the time of each function itself, without what it calls: `[{ name, url, line, us }]`. */
export async function toggleProfile() {
  if (session === undefined) {
    session = new Session();
    session.connect();
    await session.post('Profiler.enable');
    await session.post('Profiler.setSamplingInterval', { interval: INTERVAL_US });
    await session.post('Profiler.start');
    return [];
  }
  const { profile } = await session.post('Profiler.stop');
  session.disconnect();
  session = undefined;
  return functionsOf(profile);
}

function functionsOf({ nodes, samples, timeDeltas }) {
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]));
  const functions = new Map();
  samples.forEach((id, index) => {
    const { functionName: name, url, lineNumber } = frames.get(id);
    const key = `${name} ${url} ${lineNumber}`;
    const entry = functions.get(key) ?? { name, url, line: lineNumber + 1, us: 0 };
    entry.us += timeDeltas[index];
    functions.set(key, entry);
  });
  return [...functions.values()];
}
