import { describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { Ctx, MessagePattern } from '@nestjs/microservices';
import { lastValueFrom } from 'rxjs';
import { UdsContext, UdsRecord, UdsRecordBuilder, UsageError } from '../../src/index.js';
import { serveAndConnect } from '../support/nest.js';

@Controller()
class Metadata {
  @MessagePattern('metadata')
  metadata(@Ctx() context: UdsContext): unknown {
    return context.getMetadata();
  }
}

const asAny = <T>(value: unknown): T => value as T;

describe('UdsRecordBuilder', () => {
  it('builds a record of a payload alone', () => {
    expect(new UdsRecordBuilder('data').build()).toEqual(
      new UdsRecord('data', undefined, undefined, undefined),
    );
  });

  it('builds a record with all that it was given', () => {
    const { signal } = new AbortController();
    const record = new UdsRecordBuilder({ a: 1 })
      .setMetadata({ key: 'value' })
      .setTimeoutMs(5)
      .setSignal(signal)
      .build();
    expect(record).toBeInstanceOf(UdsRecord);
    expect(record.data).toEqual({ a: 1 });
    expect(record.metadata).toEqual({ key: 'value' });
    expect(record.timeoutMs).toBe(5);
    expect(record.signal).toBe(signal);
  });

  it('takes a key of the metadata that has no value for no key', async () => {
    const { client } = await serveAndConnect([Metadata]);
    const record = new UdsRecordBuilder(1).setMetadata(asAny({ a: 'x', b: undefined })).build();
    expect(await lastValueFrom(client.send('metadata', record))).toStrictEqual({ a: 'x' });
  });

  it('keeps the metadata as they were when they were given', () => {
    const metadata = { key: 'value' };
    const builder = new UdsRecordBuilder(1).setMetadata(metadata);
    metadata.key = 'other';
    expect(builder.build().metadata).toEqual({ key: 'value' });
  });

  it.each([
    [{ a: 1 }],
    [{ a: 'x', b: null }],
    [['x']],
    [new Map([['a', 'x']])],
    [new Headers({ a: 'x' })],
    ['x'],
    [null],
    [undefined],
    [5],
  ])('refuses metadata that are %j with INVALID_RECORD', (metadata) => {
    const set = (): unknown => new UdsRecordBuilder(1).setMetadata(asAny(metadata));
    expect(set).toThrow(UsageError);
    expect(set).toThrow(expect.objectContaining({ code: 'INVALID_RECORD' }));
  });

  it.each([[-1], [1.5], [NaN], [Infinity], [2 ** 31], ['5'], [null], [undefined], [5n]])(
    'refuses a timeout of %p with INVALID_RECORD that names it',
    (timeoutMs) => {
      const set = (): unknown => new UdsRecordBuilder(1).setTimeoutMs(asAny(timeoutMs));
      expect(set).toThrow(
        expect.objectContaining({
          code: 'INVALID_RECORD',
          message: expect.stringContaining(String(timeoutMs)),
        }),
      );
    },
  );

  it.each([[{}], [() => 5], [Symbol('5')], [{ toString: () => asAny(null) }]])(
    'refuses a timeout that has no text of its own: %p',
    (timeoutMs) => {
      expect(() => new UdsRecordBuilder(1).setTimeoutMs(asAny(timeoutMs))).toThrow(
        expect.objectContaining({ code: 'INVALID_RECORD' }),
      );
    },
  );

  it.each([0, 1, 2 ** 31 - 1])('takes a timeout of %d', (timeoutMs) => {
    expect(new UdsRecordBuilder(1).setTimeoutMs(timeoutMs).build().timeoutMs).toBe(timeoutMs);
  });

  it.each([
    [{}],
    ['signal'],
    [null],
    [undefined],
    [new AbortController()],
    [{ addEventListener: setTimeout }],
    [{ addEventListener: setTimeout, removeEventListener: setTimeout }],
  ])('refuses a signal that is none with INVALID_RECORD', (signal) => {
    expect(() => new UdsRecordBuilder(1).setSignal(asAny(signal))).toThrow(
      expect.objectContaining({ code: 'INVALID_RECORD' }),
    );
  });
});

describe('a UdsRecord made without its builder', () => {
  it.each<[string, unknown, unknown, unknown]>([
    ['metadata', { a: 1 }, undefined, undefined],
    ['timeout', undefined, NaN, undefined],
    ['timeout', undefined, -1, undefined],
    ['timeout', undefined, '5', undefined],
    ['signal', undefined, undefined, {}],
  ])('is refused with INVALID_RECORD where its %s is wrong', (_which, metadata, timeoutMs, signal) => {
    expect(() => new UdsRecord(1, asAny(metadata), asAny(timeoutMs), asAny(signal))).toThrow(
      expect.objectContaining({ code: 'INVALID_RECORD' }),
    );
  });
});
