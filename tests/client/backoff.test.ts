import { expect, test } from 'vitest';
import { BACKOFF_LIMITS, Backoff } from '../../src/client/backoff.ts';

const limits = { baseMs: 1_000, maxMs: 8_000 };

test('pauses grow from try to try, up to a bound, and are anything below it', () => {
  const longest = new Backoff(limits, () => 1);
  expect([1, 2, 3, 4, 5, 6].map(() => longest.next(0))).toEqual([1_000, 2_000, 4_000, 8_000, 8_000, 8_000]);
  const shortest = new Backoff(limits, () => 0);
  expect([1, 2, 3].map(() => shortest.next(0))).toEqual([0, 0, 0]);
  const half = new Backoff(limits, () => 0.5);
  expect([1, 2, 3].map(() => half.next(0))).toEqual([500, 1_000, 2_000]);
});

test('after a good connection they begin anew; one that is lost at once again is none', () => {
  const backoff = new Backoff(limits, () => 1);
  for (let failure = 0; failure < 5; failure += 1) backoff.next(0);
  expect(backoff.next(200)).toBe(8_000);
  expect(backoff.next(60_000)).toBe(1_000);
  expect(backoff.next(0)).toBe(2_000);
});

test('after a week without a network it is still a pause, and short enough to find the stream again', () => {
  const backoff = new Backoff(BACKOFF_LIMITS, () => 1);
  for (let failure = 0; failure < 100_000; failure += 1) backoff.next(0);
  expect(backoff.next(0)).toBe(BACKOFF_LIMITS.maxMs);
  expect(BACKOFF_LIMITS.maxMs).toBeLessThan(15_000);
});
