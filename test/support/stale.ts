import { once } from 'node:events';
import { renameSync } from 'node:fs';
import { createServer } from 'node:net';

/** Leaves a socket file on which nobody listens, as a killed server does. */
export async function leaveStaleSocket(path: string): Promise<void> {
  const server = createServer();
  server.listen(`${path}.old`);
  await once(server, 'listening');
  renameSync(`${path}.old`, path); // closing would take it away
  server.close();
  await once(server, 'close');
}
