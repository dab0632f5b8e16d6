import { beforeEach, describe, expect } from '@jest/globals';
import { lastValueFrom } from 'rxjs';
import { clientOf, serve } from '../support/nest.js';
import { until } from '../support/wait.js';
import { nestClientOf, type Seen, seenAnew, Shop } from './nest-app.js';
import { itWith, Program } from './programs.js';

let seen: Seen;

beforeEach(() => {
  seen = seenAnew();
});

const COUNT = 300;
const payloadsOf = (who: string): string[] =>
  Array.from({ length: COUNT }, (_, index) => `${who} ${index} €`);

/** What nc is given: the ids are those that the other clients may choose too. */
const linesFor = (payloads: readonly string[]): string =>
  payloads.map((data, id) => `${JSON.stringify({ id, pattern: 'echo', data })}\n`).join('');

/** The answers that nc printed, in the order of their ids. */
function answersIn(text: string): unknown[] {
  const answers = text.trimEnd().split('\n');
  const byId = answers.map((line) => JSON.parse(line) as { id: number; response: unknown });
  return byId.sort((one, other) => one.id - other.id).map(({ response }) => response);
}

describe('UdsClient, ClientTCP and nc at one path at once', () => {
  itWith('nc')('have each their own answers, however their calls and ids cross', async () => {
    const { path, log } = await serve([Shop]);
    const [ours, nests] = [clientOf(path), nestClientOf(path)];
    const nc = new Program('nc', ['-N', '-U', path]).write(linesFor(payloadsOf('nc'))).endInput();
    const [oursGot, nestsGot] = await Promise.all(
      [
        { client: ours, payloads: payloadsOf('ours') },
        { client: nests, payloads: payloadsOf('nests') },
      ].map(({ client, payloads }) =>
        Promise.all(payloads.map((payload) => lastValueFrom(client.send<string>('echo', payload)))),
      ),
    );
    expect(await nc.exit()).toBe(0);
    expect(oursGot).toEqual(payloadsOf('ours'));
    expect(nestsGot).toEqual(payloadsOf('nests'));
    expect(answersIn(nc.text)).toEqual(payloadsOf('nc'));
    expect(log.troubles).toEqual([]);
  });

  itWith('nc')('reach the same handlers with their events, and wait at the same gate', async () => {
    const { path } = await serve([Shop]);
    const [ours, nests] = [clientOf(path), nestClientOf(path)];
    const answers = [ours, nests].map((client, index) => lastValueFrom(client.send('held', index)));
    const nc = new Program('nc', ['-N', '-U', path]);
    nc.write('{"id":1,"pattern":"held","data":2}\n{"pattern":"noted","data":"nc"}\n').endInput();
    ours.emit('noted', 'ours');
    nests.emit('noted', 'nests');
    await until(() => seen.held === 3 && seen.events.length === 3, 'all are under way');
    expect([...seen.events].sort()).toEqual(['nc', 'nests', 'ours']);
    seen.gate.open();
    expect(await Promise.all(answers)).toEqual([0, 1]);
    expect([await nc.exit(), nc.text]).toEqual([0, '{"id":1,"response":2}\n']);
  });

  itWith('nc')('take nothing from each other where one is killed in the middle', async () => {
    const { path, log } = await serve([Shop]);
    const [ours, nests] = [clientOf(path), nestClientOf(path)];
    const answers = [ours, nests].map((client, index) => lastValueFrom(client.send('held', index)));
    const nc = new Program('nc', ['-U', path]).write('{"id":1,"pattern":"held","data":2}\n');
    await until(() => seen.held === 3, 'all are under way');
    nc.kill('SIGKILL');
    expect(await nc.exit()).toBe('SIGKILL');
    seen.gate.open();
    expect(await Promise.all(answers)).toEqual([0, 1]);
    expect(await lastValueFrom(nests.send('echo', 'still'))).toBe('still');
    expect(log.troubles).toEqual([]);
  });
});
