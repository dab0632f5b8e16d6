// Ours, as an application uses it: default options, a controller, ClientProxy.send.
import { udsServer, UdsClient } from 'nest-uds';
import { firstValueFrom } from 'rxjs';
import { countItems, serveNest } from '../nest-app.mjs';

export const name = 'nest-uds';

export const serve = (address) => serveNest(udsServer({ path: address }));

export async function connect(address) {
  const client = new UdsClient({ path: address });
  await client.connect();
  return client;
}

export const call = (client, payload) => firstValueFrom(client.send('echo', payload.value));

export const stream = (client, count) => countItems(client.send('items', count));

export const stop = (client) => client.close();
