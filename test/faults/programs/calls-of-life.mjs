import { UdsRecordBuilder } from 'nest-uds';
import { setTimeout as delay } from 'node:timers/promises';
import { firstValueFrom } from 'rxjs';

/** Says that an answer is not the one of its call. */
class WrongAnswer extends Error {
  code = 'WRONG_ANSWER';
}

function hold(isRight) {
  if (!isRight) throw new WrongAnswer();
}

/** Of a call that must fail in its own way. */
async function failsWith(code, call) {
  await call.then(
    () => hold(false),
    (error) => {
      if (error.code !== code) throw error;
    },
  );
}

/** Ends because nobody waits for it any more. */
const LONG = { isVeryLong: true };

const record = (data) => new UdsRecordBuilder(data);

/** One call of each kind; each fails where it does not end as it should. */
export const CALLS = {
  async echo(client, id) {
    hold((await firstValueFrom(client.send('give', { id }))).id === id);
  },
  async bytes(client, id) {
    const bytes = Buffer.alloc(64 + (id % 4000), id);
    hold(bytes.equals(await firstValueFrom(client.send('give', bytes))));
  },
  async wait(client, id) {
    hold((await firstValueFrom(client.send('wait', { id, ms: id % 20 }))).id === id);
  },
  async error(client, id) {
    await firstValueFrom(client.send('fail', id)).then(
      () => hold(false),
      (error) => {
        if (error?.reason === undefined) throw error;
        hold(error.value === id);
      },
    );
  },
  async deadline(client) {
    const call = firstValueFrom(client.send('long', record(LONG).setTimeoutMs(20).build()));
    await failsWith('DEADLINE_EXCEEDED', call);
  },
  async abort(client, id) {
    const aborter = new globalThis.AbortController();
    const call = firstValueFrom(client.send('long', record(LONG).setSignal(aborter.signal).build()));
    setTimeout(() => aborter.abort(), id % 20);
    await failsWith('CALL_ABORTED', call);
  },
  /** Under a signal that lives for longer than all calls. */
  async signalled(client, id, { signal }) {
    const call = client.send('give', record({ id }).setSignal(signal).setMetadata({ trace: 'a1' }).build());
    hold((await firstValueFrom(call)).id === id);
  },
  async unsubscribe(client, id) {
    const call = client.send('long', LONG).subscribe({ error: () => undefined });
    await delay(id % 10);
    call.unsubscribe();
  },
  async generator(client, id) {
    const items = id % 40;
    let due = 0;
    for await (const item of client.stream('count', { items })) hold(item === due++);
    hold(due === items);
  },
  async observable(client) {
    let due = 0;
    for await (const item of client.stream('ticks', { items: 9 })) hold(item === due++);
    hold(due === 9);
  },
  async leaveStream(client) {
    for await (const item of client.stream('count', { items: 64 })) {
      hold(item <= 3);
      if (item === 3) break;
    }
  },
  async event(client, id) {
    await firstValueFrom(client.emit('noted', { id }));
  },
  async unknown(client, id) {
    await failsWith('NO_HANDLER', firstValueFrom(client.send('nobody', { id })));
  },
};
