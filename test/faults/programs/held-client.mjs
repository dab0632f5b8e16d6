// Makes calls that are never answered and reads streams that never end, until it is killed. It writes no book: the
// server's journal says what ran.
import { UdsClient } from 'nest-uds';
import { settings } from './settings.mjs';

const { path, name, calls, streams } = settings;
const client = new UdsClient({ path, name, requestTimeoutMs: 0 });
await client.connect();

for (let index = 0; index < calls; index += 1) client.send('hold', { id: `${name}-${index}` }).subscribe();

async function read(pattern, id, howMany) {
  const values = client.stream(pattern, { id });
  for (let read = 0; read < howMany; read += 1) await values.next();
}

const KINDS = ['generator', 'iterable', 'observable'];
for (let index = 0; index < streams; index += 1) {
  const pattern = KINDS[index % KINDS.length];
  const id = `${name}-${pattern}-${index}`;
  // Some take all that comes, some read on and on, some have stopped reading.
  if (index % 4 === 0) client.send(pattern, { id }).subscribe();
  else void read(pattern, id, index % 4 === 1 ? 3 : Infinity);
}
console.log('under way');
