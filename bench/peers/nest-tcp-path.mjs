// Nest's own TCP transport with a socket path in place of its port, which its types do not know and Node takes all the same.
import { ClientTCP, Transport } from '@nestjs/microservices';
import { serveNest } from '../nest-app.mjs';

export { call, stop, stream } from './nest-tcp.mjs';

export const name = 'Nest TCP, socket path';

export const serve = (address) => serveNest({ transport: Transport.TCP, options: { port: address } });

export async function connect(address) {
  const client = new ClientTCP({ port: address });
  await client.connect();
  return client;
}
