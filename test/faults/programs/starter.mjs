// Starts a server of the path, and closes it, whenever it is told to, and says what came of it: `3 serves`,
// `3 refused CODE: message`, `3 closed`. One process does that many times, since starting Node takes longer than what is tested.
import { createInterface } from 'node:readline';
import { UdsServer } from 'nest-uds';
import { settings } from './settings.mjs';

let server;

const orders = {
  start(round) {
    server = new UdsServer({ path: settings.path });
    server.addHandler('who', async () => process.pid);
    server.listen((error) => {
      console.log(
        error === undefined ? `${round} serves` : `${round} refused ${error.code}: ${error.message}`,
      );
    });
  },
  async close(round) {
    await server.close();
    console.log(`${round} closed`);
  },
};

console.log('standing by');
for await (const line of createInterface({ input: process.stdin })) {
  const [order, round] = line.split(' ');
  await orders[order](round);
}
