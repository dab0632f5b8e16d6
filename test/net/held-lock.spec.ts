import { describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { MessagePattern } from '@nestjs/microservices';
import { join } from 'node:path';
import { lastValueFrom } from 'rxjs';
import { lockPath } from '../../src/net/path-lock.js';
import { afterThisTest } from '../support/cleanup.js';
import { serveAndConnect } from '../support/nest.js';
import { tempFolder } from '../support/temp.js';
import { Gate, until } from '../support/wait.js';

@Controller()
class Work {
  @MessagePattern('gated')
  async gated(gate: unknown): Promise<unknown> {
    begun.open();
    await finished.opened;
    return gate;
  }
}

const begun = new Gate();
const finished = new Gate();

describe('a server whose lock somebody holds and does not let go', () => {
  it('drains all the same when it closes, and says that its file is stale', async () => {
    const path = join(tempFolder({ mayLeave: /^app\.sock$/ }), 'app.sock');
    const { server, client, log } = await serveAndConnect([Work], { path, closeTimeoutMs: 2000 });
    const answer = lastValueFrom(client.send('gated', 'done'));
    await begun.opened;
    const lock = await lockPath(path, 1000);
    afterThisTest(() => lock.release());
    const closed = server.close();
    await until(() => log.troubles.length > 0, 'it waits no longer for the lock');
    finished.open();
    expect(await answer).toBe('done');
    await closed;
    expect(log.troubles).toEqual([
      expect.stringMatching(/^LISTEN_FAILED: .*can not be removed: .*\.lock .*1000 ms.* It is stale now/),
    ]);
  });
});
