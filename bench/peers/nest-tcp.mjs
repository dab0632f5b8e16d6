// Nest's own TCP transport on 127.0.0.1.
import { ClientTCP, Transport } from '@nestjs/microservices';
import { firstValueFrom } from 'rxjs';
import { countItems, serveNest } from '../nest-app.mjs';
import { portOf } from '../port.mjs';

export const name = 'Nest TCP, 127.0.0.1';

export const serve = (address) =>
  serveNest({ transport: Transport.TCP, options: { host: '127.0.0.1', port: portOf(address) } });

export async function connect(address) {
  const client = new ClientTCP({ host: '127.0.0.1', port: portOf(address) });
  await client.connect();
  return client;
}

export const call = (client, payload) => firstValueFrom(client.send('echo', payload.value));

export const stream = (client, count) => countItems(client.send('observedItems', count));

export const stop = (client) => client.close();
