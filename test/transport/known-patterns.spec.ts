import { expect, it } from '@jest/globals';
import type { MessageHandler } from '@nestjs/microservices';
import { KnownPatterns } from '../../src/transport/uds.known-patterns.js';

const handler: MessageHandler = async () => undefined;
const known = (): KnownPatterns => new KnownPatterns(new Map([['{"cmd":"sum"}', handler]]));
const spelling = (blanks: number): string => `{"cmd":${' '.repeat(blanks)}"sum"}`;

it('a spelling of a pattern is remembered', () => {
  const patterns = known();
  expect(patterns.get(spelling(1))).toBeUndefined();
  expect(patterns.keep(spelling(1), handler)).toBe(handler);
  expect(patterns.get(spelling(1))).toBe(handler);
  patterns.clear();
  expect(patterns.get(spelling(1))).toBeUndefined();
});

it('a pattern that nobody handles is not', () => {
  const patterns = known();
  expect(patterns.keep('nobody', null)).toBeNull();
  expect(patterns.get('nobody')).toBeUndefined();
});

it('no more than 1,024 other spellings are remembered, and the registered one always is', () => {
  const patterns = known();
  const remembered = (): number =>
    Array.from({ length: 5_000 }, (_, n) => `${n}.0`).filter((text) => patterns.get(text)).length;
  for (let n = 0; n < 5_000; n += 1) patterns.keep(`${n}.0`, handler);
  expect(remembered()).toBe(1_024);
  patterns.keep('{"cmd":"sum"}', handler);
  expect(patterns.get('{"cmd":"sum"}')).toBe(handler);
});

it('a long spelling is not remembered: a thousand of them would be gigabytes', () => {
  const patterns = known();
  for (const blanks of [256, 16 * 1024 ** 2]) {
    expect(patterns.keep(spelling(blanks), handler)).toBe(handler);
    expect(patterns.get(spelling(blanks))).toBeUndefined();
  }
});
