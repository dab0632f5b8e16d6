import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { type Closable, shutDownOnSignals } from '../../src/transport/uds.shutdown.js';
import { afterThisTest } from '../support/cleanup.js';
import { RecordedLog } from '../support/log.js';
import { ProcessHost } from '../support/process-host.js';
import { Gate, turns } from '../support/wait.js';

/** Notes when it is asked to close and when it has closed; waits in between where it is given a gate. */
function closable(name: string, notes: string[], gate?: Gate): Closable {
  return {
    close: async () => {
      notes.push(`${name} closes`);
      await gate?.opened;
      notes.push(`${name} has closed`);
    },
  };
}

describe('shutDownOnSignals', () => {
  let log: RecordedLog;
  let host: ProcessHost;
  let notes: string[];

  beforeEach(() => {
    log = new RecordedLog();
    Logger.overrideLogger(log);
    host = new ProcessHost();
    notes = [];
  });

  it.each(['SIGTERM', 'SIGINT'])(
    'closes the servers, then the application, and exits with 0 on %s',
    async (signal) => {
      const gate = new Gate();
      const servers = [closable('one', notes, gate), closable('two', notes)];
      shutDownOnSignals({ servers, app: closable('app', notes), process: host });
      host.emit(signal);
      await turns();
      expect(notes).toEqual(['one closes', 'two closes', 'two has closed']);
      gate.open();
      expect(await host.exitCode()).toBe(0);
      expect(notes.slice(3)).toEqual(['one has closed', 'app closes', 'app has closed']);
      expect(log.lines.map(({ text }) => text)).toEqual([
        `${signal}: finishing what runs. A second signal exits at once.`,
        'Everything is closed.',
      ]);
    },
  );

  it('closes everything where the logger throws', async () => {
    log.log = () => {
      throw new Error('the disk is full');
    };
    shutDownOnSignals({ servers: [], app: closable('app', notes), process: host });
    host.emit('SIGTERM');
    expect(await host.exitCode()).toBe(0);
    expect(notes).toEqual(['app closes', 'app has closed']);
  });

  it('exits with 1 where something fails to close, and closes the rest', async () => {
    const broken = { close: () => Promise.reject(new Error('it is stuck')) };
    shutDownOnSignals({
      servers: [broken, closable('two', notes)],
      app: closable('app', notes),
      process: host,
    });
    host.emit('SIGTERM');
    expect(await host.exitCode()).toBe(1);
    expect(notes).toEqual(['two closes', 'two has closed', 'app closes', 'app has closed']);
    expect(log.troubles).toEqual(['it is stuck']);
  });

  it('takes a signal that comes at once again for the same, and a later one for impatience', async () => {
    const gate = new Gate();
    const now = jest.spyOn(performance, 'now').mockReturnValue(1_000);
    afterThisTest(() => now.mockRestore());
    shutDownOnSignals({
      servers: [closable('one', notes, gate)],
      app: closable('app', notes),
      process: host,
    });
    host.emit('SIGINT');
    now.mockReturnValue(1_400);
    host.emit('SIGINT');
    expect(host.codes).toEqual([]);
    now.mockReturnValue(1_600);
    host.emit('SIGTERM');
    expect(host.codes).toEqual([1]);
    expect(log.troubles).toEqual(['SIGTERM, the second signal: exiting at once.']);
    now.mockRestore();
    gate.open();
    await turns();
  });

  it('waits for a start under way before it closes', async () => {
    const starting = new Gate();
    const options = {
      servers: [closable('one', notes)],
      app: closable('app', notes),
      starting: starting.opened,
    };
    shutDownOnSignals({ ...options, process: host });
    host.emit('SIGTERM');
    await turns();
    expect(notes).toEqual([]);
    starting.open();
    expect(await host.exitCode()).toBe(0);
  });

  it('leaves the exit to whoever started where the start fails', async () => {
    const starting = Promise.reject(new Error('no'));
    shutDownOnSignals({ servers: [], app: closable('app', notes), starting, process: host });
    host.emit('SIGTERM');
    await turns();
    expect(notes).toEqual([]);
    expect(host.codes).toEqual([]);
  });
});
