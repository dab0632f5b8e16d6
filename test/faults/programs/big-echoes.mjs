// Has so many values of one length echoed at once, on one connection, so many times, and looks at each answer.
import { UdsClient } from 'nest-uds';
import { firstValueFrom } from 'rxjs';
import { settings } from './settings.mjs';

const { path, calls, bytes, rounds } = settings;
const client = new UdsClient({ path, name: 'big' });
let answered = 0;
const failed = {};

/** Bytes and texts in turn; each has its own number in it. */
function valueOf(round, index) {
  const text = `${round}:${index};`.padEnd(bytes, 'x');
  return index % 2 === 0 ? text : Buffer.from(text);
}

async function callOnce(round, index) {
  const value = valueOf(round, index);
  try {
    const answer = await firstValueFrom(client.send('give', value));
    const isSame = typeof value === 'string' ? answer === value : value.equals(answer);
    if (isSame) answered += 1;
    else failed.WRONG = (failed.WRONG ?? 0) + 1;
  } catch (error) {
    failed[error.code] = (failed[error.code] ?? 0) + 1;
  }
}

for (let round = 0; round < rounds; round += 1)
  await Promise.all(Array.from({ length: calls }, (_, index) => callOnce(round, index)));
await client.close();
console.log(JSON.stringify({ answered, failed }));
