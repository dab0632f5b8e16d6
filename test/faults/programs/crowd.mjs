// Many connections at once, told by lines: `silent N` opens so many and says nothing on them; `fresh N` so many clients that
// each connect, call once and leave, and says when all of them have settled; `end`.
import { connect } from 'node:net';
import { UdsClient } from 'nest-uds';
import { createInterface } from 'node:readline';
import { Ledger } from './ledger.mjs';
import { settings } from './settings.mjs';

const { path, name } = settings;
const ledger = new Ledger(settings.ledger);
const sockets = [];
let clients = 0;

function silent() {
  return new Promise((resolve) => {
    const socket = connect(path, resolve);
    sockets.push(socket);
    socket.on('error', resolve);
    socket.resume();
  });
}

async function fresh() {
  clients += 1;
  const client = new UdsClient({ path, name, connectTimeoutMs: 5000, requestTimeoutMs: 8000 });
  await ledger.call(client, 'echo', `${name}-${clients}`);
  await client.close();
}

const ORDERS = { silent, fresh };

for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'end') break;
  const [order, count] = line.split(' ');
  await Promise.all(Array.from({ length: Number(count) }, () => ORDERS[order]()));
  console.log(`${line} is done`);
}
for (const socket of sockets) socket.destroy();
process.stdin.destroy();
