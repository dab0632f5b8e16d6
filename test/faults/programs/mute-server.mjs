// Takes every connection, and never says a word: reads what comes, or does not even read.
import { createServer } from 'node:net';
import { settings } from './settings.mjs';

const { path, reads } = settings;
let taken = 0;
const server = createServer((socket) => {
  taken += 1;
  socket.on('error', () => undefined);
  if (reads) socket.resume();
});
server.listen(path, () => console.log('ready'));
process.on('SIGTERM', () => {
  console.log(JSON.stringify({ taken }));
  server.close();
  process.exit(0);
});
