import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Server, Socket } from 'node:net';

/**
 * Closes a server after the next connect of this process has got into its queue, and before it accepts: what happens to
 * whoever connects to a server that is killed in that moment. connect(2) is called in the tick in which the channel speaks,
 * and the loop accepts in a later one.
 */
export async function closedBeforeAccepting(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    const close = (message: unknown): void => {
      unsubscribe('net.client.socket', close);
      const { socket } = message as { socket: Socket };
      socket.once('error', () => resolve());
      process.nextTick(() => server.close());
    };
    subscribe('net.client.socket', close);
  });
}
