import { expect, test } from 'vitest';
import { WATCH_EVERY_MS, Watchdog } from '../../src/client/watchdog.ts';

test('70 s without a word are the end, any word begins them anew', () => {
  const watchdog = new Watchdog();
  for (let round = 0; round < 3; round += 1) {
    expect([1, 2, 3, 4, 5, 6].map(() => watchdog.tick(false))).toEqual([false, false, false, false, false, false]);
    watchdog.heard();
  }
  expect([1, 2, 3, 4, 5, 6, 7].map(() => watchdog.tick(false)).at(-1)).toBe(true);
  expect(7 * WATCH_EVERY_MS).toBe(70_000);
});

test('who does not answer is given up sooner, but not while it says something else', () => {
  const watchdog = new Watchdog();
  for (let round = 0; round < 20; round += 1) {
    expect([watchdog.tick(true), watchdog.tick(true)]).toEqual([false, false]);
    watchdog.heard();
  }
  expect([watchdog.tick(true), watchdog.tick(true), watchdog.tick(true)]).toEqual([false, false, true]);
});
