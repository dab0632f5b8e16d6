import { firstValueFrom } from 'rxjs';
import { Book } from './book.mjs';

const codeOf = (error) => error?.code ?? error?.name ?? 'NO_CODE';

/** A client's book: every call it makes, under its id, and what became of it. */
export class Ledger extends Book {
  /** Makes one call; resolves to whether it was answered, once it is over, and never rejects. */
  async call(client, pattern, id, more = {}) {
    return await this.track(id, () => firstValueFrom(client.send(pattern, { id, ...more })));
  }

  /** The same for whatever gives the answer `{ id }`. */
  async track(id, run) {
    this.write('asked', id);
    try {
      const answer = await run();
      this.write(answer?.id === id ? 'answered' : 'mistaken', id);
      return true;
    } catch (error) {
      this.write('failed', id, codeOf(error));
      return false;
    }
  }

  /** Sends one event; resolves once the system has it, or it failed. */
  async emit(client, pattern, id, more = {}) {
    this.write('emitted', id);
    try {
      await firstValueFrom(client.emit(pattern, { id, ...more }));
      this.write('sent', id);
    } catch (error) {
      this.write('unsent', id, codeOf(error));
    }
  }
}
