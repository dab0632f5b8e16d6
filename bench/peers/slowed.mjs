// Ours with a busy loop of 20 us a call: what `npm run bench:check` must notice. In no case of the bench itself.
import { call as callFast } from './nest-uds.mjs';

export { connect, serve, stop, stream } from './nest-uds.mjs';

export const name = 'nest-uds, slowed';

const BUSY_MS = 0.02;

export function call(client, payload) {
  const endMs = performance.now() + BUSY_MS;
  while (performance.now() < endMs);
  return callFast(client, payload);
}
