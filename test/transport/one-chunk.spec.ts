import { beforeEach, describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { lastValueFrom } from 'rxjs';
import { UdsRecordBuilder } from '../../src/index.js';
import { Endless, Seen, seenAnew, targets } from '../support/cancel-targets.js';
import { clientOf, serve } from '../support/nest.js';
import { rawCall, rawFrame, rawHello } from '../support/raw-frames.js';
import { RawPeer } from '../support/raw-peer.js';
import { turns, until } from '../support/wait.js';
import { TYPE, WireTap } from '../support/wire-tap.js';

const SHORT_MS = 20;

let seen = new Seen();
/** What ran, in order. */
let ran: string[] = [];

beforeEach(() => {
  seen = seenAnew();
  ran = [];
});

/** Computes for longer than a call with SHORT_MS may wait. */
function compute(): void {
  const endsMs = performance.now() + 3 * SHORT_MS;
  while (performance.now() < endsMs);
}

@Controller()
class Notes {
  @MessagePattern('note')
  note(@Payload() data: string): string {
    ran.push(data);
    return data;
  }

  @EventPattern('noted')
  noted(@Payload() data: string): void {
    ran.push(data);
  }
}

const note = (id: number, payload: string, timeoutMs = 0): Buffer =>
  rawCall({ id, pattern: 'note', payload, timeoutMs });
const noted = (payload: string): Buffer => rawCall({ pattern: 'noted', payload });
const cancel = (id: number): Buffer => rawFrame({ type: TYPE.CANCEL, id });

/**
 * One whose chunk has been read, with all that its handlers then do. A chunk of a connection's first 256 bytes, or of 128, is read
 * in one go however busy the machine is.
 */
async function written(peer: RawPeer, ...frames: Buffer[]): Promise<void> {
  peer.send(...frames, rawFrame({ type: 11, id: 999 }));
  await peer.frame(TYPE.PONG, 999);
  await turns();
}

describe('a REQUEST and its CANCEL that are read together', () => {
  it.each(targets.map(({ name, pattern }) => [name, pattern]))(
    'never start the call: %s',
    async (_what, pattern) => {
      const { path, log } = await serve([Endless]);
      const peer = await RawPeer.greeted(path);
      await written(peer, rawCall({ id: 1, pattern, payload: 'x', credit: 1e6 }), cancel(1));
      seen.gate.open();
      await turns();
      expect(seen).toMatchObject({ started: 0, behind: 0, ends: [], reasons: [] });
      expect(peer.frames.map(({ type }) => type)).toEqual([2, TYPE.PONG]);
      expect(log.troubles).toEqual([]);
    },
  );

  it('never start the call where the client unsubscribes at once', async () => {
    const { path } = await serve([Endless]);
    const tap = await WireTap.before(path);
    const client = clientOf(tap.path);
    await client.connect();
    client.send('observable', 'x').subscribe().unsubscribe();
    expect(await lastValueFrom(client.send('ping', 1))).toBe('pong');
    expect(tap.sent.frames.map(({ type }) => type)).toEqual([1, TYPE.REQUEST, TYPE.CANCEL, TYPE.REQUEST]);
    expect(seen).toMatchObject({ started: 0, ends: [] });
  });

  it('let all others run, events too, in the order in which they were sent', async () => {
    const { path } = await serve([Notes]);
    const peer = await RawPeer.greeted(path);
    await written(
      peer,
      noted('event 1'),
      note(1, 'gone'),
      note(2, 'call 2'),
      noted('event 2'),
      cancel(1),
      note(3, 'gone'),
      cancel(3),
      note(4, 'call 4'),
    );
    expect(ran).toEqual(['event 1', 'call 2', 'event 2', 'call 4']);
    await peer.frame(TYPE.RESPONSE, 4);
    expect(peer.frames.filter(({ id }) => id === 1 || id === 3)).toEqual([]);
  });

  it('let the id be used again', async () => {
    const { path } = await serve([Notes]);
    const peer = await RawPeer.greeted(path);
    await written(peer, note(1, 'cancelled'), cancel(1), note(1, 'again'));
    expect((await peer.frame(TYPE.RESPONSE, 1)).body.toString()).toBe('again');
    expect(ran).toEqual(['again']);
  });

  it('leave room for as many others as before', async () => {
    const { path } = await serve([Notes], { maxInFlight: 16 });
    const peer = await RawPeer.greeted(path);
    for (let id = 1; id < 100; id += 2) {
      await written(peer, note(id, 'cancelled'), cancel(id), note(id + 1, 'cancelled'), cancel(id + 1));
    }
    await written(peer, note(500, 'last'));
    await peer.frame(TYPE.RESPONSE, 500);
    expect(ran).toEqual(['last']);
    expect(peer.frames.filter(({ type }) => type === TYPE.ERROR)).toEqual([]);
  });

  it('leave each start of the processing hooks with its one end', async () => {
    let open = 0;
    let ended = 0;
    const { path } = await serve([Notes], {
      prepare: (_app, server) => {
        server.setOnProcessingStartHook((_transport, _context, done) => {
          open += 1;
          void done();
        });
        server.setOnProcessingEndHook(() => (ended += 1));
      },
    });
    const peer = await RawPeer.greeted(path);
    await written(peer, note(1, 'cancelled'), cancel(1), note(2, 'call'));
    await peer.frame(TYPE.RESPONSE, 2);
    expect({ open, ended, ran }).toEqual({ open: 1, ended: 1, ran: ['call'] });
  });

  it('never start the call where they come with the hello', async () => {
    const { path } = await serve([Notes]);
    const peer = await RawPeer.to(path);
    await written(peer, rawHello(), note(1, 'cancelled'), noted('event'), cancel(1), note(2, 'call'));
    await peer.frame(TYPE.RESPONSE, 2);
    expect(ran).toEqual(['event', 'call']);
  });
});

describe('events before what ends their connection', () => {
  it('run, though it is read together with them: a broken frame', async () => {
    const { path } = await serve([Notes]);
    const peer = await RawPeer.greeted(path);
    peer.send(noted('event 1'), noted('event 2'), rawFrame({ type: 99 }));
    await peer.closed();
    await until(() => ran.length === 2, 'both ran');
    expect(ran).toEqual(['event 1', 'event 2']);
  });

  it('run, though it is read together with them: the goodbye', async () => {
    const { path } = await serve([Notes]);
    const peer = await RawPeer.greeted(path);
    peer.send(noted('event 1'), note(1, 'call'), noted('event 2'), rawFrame({ type: TYPE.GOAWAY }));
    peer.socket.end();
    await until(() => ran.includes('event 2'), 'they ran');
    expect(ran.filter((each) => each.startsWith('event'))).toEqual(['event 1', 'event 2']);
  });
});

describe('a call whose time is up on the way', () => {
  it.each(targets.map(({ name, pattern }) => [name, pattern]))('never starts: %s', async (_what, pattern) => {
    const { path } = await serve([Endless]);
    const tap = await WireTap.before(path);
    const client = clientOf(tap.path);
    await client.connect();
    tap.sent.hold();
    const record = new UdsRecordBuilder('x').setTimeoutMs(SHORT_MS).build();
    const failed = lastValueFrom(client.send(pattern, record));
    await expect(failed).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    await tap.sent.frame(TYPE.CANCEL, 1);
    tap.sent.release();
    expect(await lastValueFrom(client.send('ping', 1))).toBe('pong');
    seen.gate.open();
    await turns();
    expect(seen).toMatchObject({ started: 0, behind: 0, ends: [] });
    expect(tap.answersTo(1)).toEqual([]);
  });

  it('lets all others run, events too, in the order in which they were sent', async () => {
    const { path } = await serve([Notes]);
    const tap = await WireTap.before(path);
    const client = clientOf(tap.path);
    await client.connect();
    tap.sent.hold();
    const record = new UdsRecordBuilder('late').setTimeoutMs(SHORT_MS).build();
    const first = lastValueFrom(client.send('note', 'call 1'));
    client.emit('noted', 'event 1');
    const late = lastValueFrom(client.send('note', record));
    client.emit('noted', 'event 2');
    await expect(late).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    const last = lastValueFrom(client.send('note', 'call 2'));
    await tap.sent.frame(TYPE.REQUEST, 3);
    tap.sent.release();
    expect(await Promise.all([first, last])).toEqual(['call 1', 'call 2']);
    expect(ran).toEqual(['call 1', 'event 1', 'event 2', 'call 2']);
  });
});

describe('a call whose time is up while what was read with it computes', () => {
  it.each([
    ['a call', rawCall({ id: 1, pattern: 'plain' }), false],
    ['an event', rawCall({ pattern: 'plain' }), true],
  ])('never starts: behind %s whose handler begins at once', async (_what, first, isEvent) => {
    const { path } = await serve([Notes], {
      // Nest's own handlers begin some promises later, when all calls have been handed over.
      prepare: (_app, server) => server.addHandler('plain', async () => compute(), isEvent),
    });
    const peer = await RawPeer.greeted(path);
    await written(peer, first, note(2, 'late', SHORT_MS), noted('event'), note(3, 'patient'));
    expect(ran).toEqual(['event', 'patient']);
    expect(peer.frames.filter(({ id }) => id === 2)).toEqual([]);
  });
});
