import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { OncePer } from '../../src/router/once-per.ts';
import { Strikes } from '../../src/router/strikes.ts';
import { TokenBucket } from '../../src/router/token-bucket.ts';

/** Takes one token at each of these times, where there is one; answers the times at which there was. */
function taken(bucket: TokenBucket, timesMs: readonly number[]): number[] {
  return timesMs.filter((nowMs) => {
    if (!bucket.has(1, nowMs)) return false;
    bucket.take(1);
    return true;
  });
}

describe('token bucket', () => {
  test('starts with a full burst, then lets through what trickles in', () => {
    const bucket = new TokenBucket(10, 3, 0);
    expect(taken(bucket, [0, 0, 0, 0, 99, 100, 100, 250])).toEqual([0, 0, 0, 100, 250]);
  });

  test('does not save up more than a burst', () => {
    const bucket = new TokenBucket(10, 2, 0);
    expect(taken(bucket, [60_000, 60_000, 60_000])).toEqual([60_000, 60_000]);
  });

  test('asking takes nothing', () => {
    const bucket = new TokenBucket(1, 1, 0);
    for (let count = 0; count < 5; count += 1) expect(bucket.has(1, 0)).toBe(true);
    bucket.take(1);
    expect(bucket.has(1, 0)).toBe(false);
  });

  test('whatever the times, no stretch of them brings more than the rate and one burst', () => {
    const gaps = fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 60 });
    const scenario = fc.record({
      gaps,
      perSecond: fc.integer({ min: 1, max: 60 }),
      burst: fc.integer({ min: 1, max: 9 }),
    });
    fc.assert(
      fc.property(scenario, ({ gaps: gapsMs, perSecond, burst }) => {
        let nowMs = 0;
        const times = gapsMs.map((gapMs) => {
          nowMs += gapMs;
          return nowMs;
        });
        const passed = taken(new TokenBucket(perSecond, burst, 0), times);
        for (const [first, from] of passed.entries()) {
          for (const [last, to] of passed.entries()) {
            if (last < first) continue;
            expect(last - first + 1).toBeLessThanOrEqual(burst + ((to - from) * perSecond) / 1000 + 1e-6);
          }
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe('once per interval', () => {
  test('the first goes through at once, then one per interval, each with how often it happened', () => {
    const line = new OncePer(1_000);
    expect([5, 6, 7, 1_004, 1_005, 1_006, 9_000].map((nowMs) => line.due(nowMs))).toEqual([1, 0, 0, 0, 4, 0, 2]);
  });

  test('goes through at time 0', () => {
    expect(new OncePer(1_000).due(0)).toBe(1);
  });
});

describe('strikes', () => {
  test('the 20th mistake within 10 s is one too many', () => {
    const strikes = new Strikes(20, 10_000);
    const verdicts = Array.from({ length: 21 }, (_, index) => strikes.strike(index * 100));
    expect(verdicts.indexOf(true)).toBe(19);
  });

  test('a client that errs now and then is never cut off', () => {
    const strikes = new Strikes(20, 10_000);
    // 19 gaps of 527 ms are just over 10 s.
    for (let count = 0; count < 500; count += 1) expect(strikes.strike(count * 527)).toBe(false);
  });

  test('old mistakes are forgotten: a burst counts from its own first', () => {
    const strikes = new Strikes(3, 1_000);
    const verdicts = [0, 10, 1_005, 1_200, 1_300].map((nowMs) => strikes.strike(nowMs));
    expect(verdicts).toEqual([false, false, false, false, true]);
  });

  test('exactly the window later does not count any more', () => {
    const strikes = new Strikes(2, 1_000);
    expect([strikes.strike(0), strikes.strike(1_000), strikes.strike(1_999)]).toEqual([false, false, true]);
  });
});
