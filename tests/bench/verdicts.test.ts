import { describe, expect, test } from 'vitest';
import { searchCapacity } from '../../bench/capacity/search.ts';
import { median, ratioOf, ratioText } from '../../bench/support/statistics.ts';

describe('a ratio', () => {
  test('is held against the base around it, so that a machine that gets slower changes nothing', () => {
    const rounds = [1, 2, 4, 8, 16].map((slow) => ({ before: 10 * slow, measured: 12 * slow, after: 10 * slow }));
    expect(ratioOf(rounds)).toMatchObject({ value: 1.2, noise: { min: 1, max: 1 } });
  });

  test('shows the noise of base against base beside it', () => {
    const ratio = ratioOf([
      { before: 10, measured: 11, after: 12 },
      { before: 10, measured: 9, after: 8 },
      { before: 10, measured: 30, after: 10 },
    ]);
    expect(ratio.value).toBe(1);
    expect(ratioText(ratio)).toBe('1.00 (noise 0.80–1.20)');
  });

  test('of an even number of rounds is the mean of the two in the middle', () => {
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(median([])).toBeNaN();
  });
});

describe('the search for what a machine carries', () => {
  async function search(
    capacity: number,
    start = 100,
    max = 8_000,
  ): Promise<{ carried: number; tried: number[]; failedAt: number | undefined }> {
    const tried: number[] = [];
    const { carried, failed } = await searchCapacity(start, max, async (size) => {
      tried.push(size);
      return { size, why: size <= capacity ? undefined : 'too much' };
    });
    return { carried, tried, failedAt: failed?.size };
  }

  test.each([100, 137, 1_000, 2_345, 7_999])('finds %i to within a tenth, in few steps', async (capacity) => {
    const { carried, tried, failedAt } = await search(capacity);
    expect(carried).toBeLessThanOrEqual(capacity);
    expect(carried).toBeGreaterThan(capacity * 0.9);
    expect(failedAt).toBeGreaterThan(capacity);
    expect(tried.length).toBeLessThanOrEqual(14);
  });

  test('says so when all that was allowed is carried, and when nothing is', async () => {
    expect(await search(1e9)).toMatchObject({ carried: 8_000, failedAt: undefined });
    expect(await search(0)).toMatchObject({ carried: 0 });
    expect((await search(50)).carried).toBeGreaterThan(40);
  });
});
