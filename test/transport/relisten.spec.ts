import { describe, expect, it } from '@jest/globals';
import { readdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { lastValueFrom } from 'rxjs';
import { UdsServer } from '../../src/index.js';
import { afterThisTest } from '../support/cleanup.js';
import { clientOf, socketPath } from '../support/nest.js';
import { RawServer } from '../support/raw-server.js';
import { until } from '../support/wait.js';

const listening = (server: UdsServer): Promise<unknown> => new Promise((resolve) => server.listen(resolve));

describe('a server that is closed while its listen goes on, and listens again', () => {
  it('is not disturbed by the failure of the first one: it serves, and its close ends it', async () => {
    const path = socketPath();
    const silent = await RawServer.listening(path, { accept: (socket) => socket.resume() });
    const server = new UdsServer({ path, probeTimeoutMs: 100 });
    afterThisTest(() => server.close());
    server.addHandler('who', async () => 'again');
    const states: string[] = [];
    server.status.subscribe((state) => void states.push(state));
    const first = listening(server);
    await until(() => silent.sockets.length === 1, 'the first one asks who lives there');
    const closed = server.close();
    const second = listening(server);
    expect(await first).toMatchObject({ code: 'ADDRESS_IN_USE' });
    await closed;
    await until(() => silent.sockets.length === 2, 'the second one asks in its turn');
    await silent.close();
    expect(await second).toBeUndefined();
    expect(await lastValueFrom(clientOf(path).send('who', 1))).toBe('again');
    expect(states.at(-1)).toBe('connected');
    await server.close();
    expect(readdirSync(dirname(path))).toEqual([]);
    expect(states.at(-1)).toBe('disconnected');
  });
});
