import { expect, test } from 'vitest';
import { isSame, merge, type Wish } from '../../src/client/wish.ts';

const wish = (more: Partial<Wish> = {}): Wish => ({
  frames: true,
  alerts: false,
  maxFps: undefined,
  window: undefined,
  ...more,
});

test('who wants the same stream gets what the most demanding of them wants', () => {
  expect(merge([wish({ maxFps: 2 }), wish({ maxFps: 10 })]).maxFps).toBe(10);
  expect(merge([wish({ maxFps: 2 }), wish()]).maxFps).toBeUndefined();
  expect(merge([wish({ window: 1 }), wish({ window: 4 })]).window).toBe(4);
  expect(merge([wish({ window: 1 }), wish()]).window).toBeUndefined();
  expect(merge([wish(), wish({ frames: false, alerts: true })])).toMatchObject({ frames: true, alerts: true });
});

test('who wants no pictures does not raise their rate', () => {
  const merged = merge([wish({ maxFps: 2, window: 1 }), wish({ frames: false, alerts: true })]);
  expect(merged).toEqual({ frames: true, alerts: true, maxFps: 2, window: 1 });
  expect(merge([wish({ frames: false })])).toEqual({
    frames: false,
    alerts: false,
    maxFps: undefined,
    window: undefined,
  });
});

test('the same wish is known as such', () => {
  expect(isSame(wish({ maxFps: 2 }), wish({ maxFps: 2 }))).toBe(true);
  for (const other of [wish({ maxFps: 5 }), wish({ window: 1 }), wish({ alerts: true }), wish({ frames: false })]) {
    expect(isSame(wish(), other)).toBe(false);
  }
});
