import { describe, expect, test } from 'vitest';
import { LinePace } from '../../src/client/line-pace.ts';
import { chooseWindow } from '../../src/client/window-choice.ts';

describe('one frame on its way at a time', () => {
  test('where the way is short against the time a frame takes', () => {
    expect(chooseWindow(2, { rttMs: 2, transferMs: 800, handlingMs: 0 })).toBe(1);
    expect(chooseWindow(2, { rttMs: 1, transferMs: 5, handlingMs: 0 })).toBe(1);
  });

  test('where the page is the slow one', () => {
    expect(chooseWindow(2, { rttMs: 50, transferMs: 5, handlingMs: 200 })).toBe(1);
  });
});

test('two where the way is long', () => {
  expect(chooseWindow(1, { rttMs: 100, transferMs: 5, handlingMs: 1 })).toBe(2);
});

test('in between it stays as it is', () => {
  for (const current of [1, 2] as const) {
    expect(chooseWindow(current, { rttMs: 65, transferMs: 100, handlingMs: 0 })).toBe(current);
  }
});

describe('the measurement', () => {
  const feed = {};
  const measure = (pace: LinePace, atMs: number, { rttMs, transferMs }: { rttMs: number; transferMs?: number }) => {
    expect(pace.isDue(atMs)).toBe(true);
    pace.begin(feed, atMs);
    pace.firstAnswer(atMs + rttMs, rttMs);
    if (transferMs !== undefined) pace.frame(feed, atMs + rttMs + transferMs);
    pace.secondAnswer();
  };

  test('tells the way from the frame', () => {
    const pace = new LinePace();
    measure(pace, 0, { rttMs: 100, transferMs: 10 });
    expect(pace.rttMs).toBe(100);
    expect(pace.choose(1, 0)).toBe(2);
    for (const atMs of [5_000, 10_000, 15_000]) measure(pace, atMs, { rttMs: 100, transferMs: 800 });
    expect(pace.choose(2, 0)).toBe(1);
  });

  test('changes nothing while the camera is slower than the line, and takes no other stream’s frame for its own', () => {
    const pace = new LinePace();
    expect([pace.choose(1, 0), pace.choose(2, 0)]).toEqual([1, 2]);
    measure(pace, 0, { rttMs: 100 });
    expect([pace.choose(1, 0), pace.choose(2, 0)]).toEqual([1, 2]);
    pace.begin(feed, 5_000);
    pace.firstAnswer(5_100, 100);
    pace.frame({}, 5_101);
    pace.secondAnswer();
    expect(pace.choose(1, 0)).toBe(1);
  });

  test('is due now and then, and not while one is under way', () => {
    const pace = new LinePace();
    pace.begin(feed, 0);
    expect(pace.isDue(60_000)).toBe(false);
    pace.firstAnswer(1, 1);
    pace.secondAnswer();
    expect(pace.isDue(4_999)).toBe(false);
    expect(pace.isDue(5_000)).toBe(true);
  });

  test('a round trip behind somebody else’s frame does not count as the way', () => {
    const pace = new LinePace();
    for (const rttMs of [20, 900, 900, 900]) pace.noteRoundTrip(rttMs);
    expect(pace.rttMs).toBe(20);
  });
});
