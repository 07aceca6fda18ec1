import { expect, test } from 'vitest';
import { FpsLimiter } from '../../src/client/fps-limiter.ts';

/** How many of a camera's frames pass in so many seconds. `jitterMs`: how early or late each is. */
function passed(limiter: FpsLimiter, cameraFps: number, seconds: number, jitterMs = 0, fromMs = 0): number {
  let count = 0;
  for (let frame = 0; frame < cameraFps * seconds; frame += 1) {
    const atMs = fromMs + (frame * 1_000) / cameraFps + (frame % 2 === 0 ? jitterMs : -jitterMs);
    if (limiter.admits(atMs)) count += 1;
  }
  return count;
}

test('of a camera that is too fast just so many frames pass', () => {
  for (const maxFps of [1, 2, 7, 10, 15, 25]) {
    const count = passed(new FpsLimiter(maxFps), 30, 20);
    expect(count).toBeGreaterThanOrEqual(20 * maxFps * 0.95);
    expect(count).toBeLessThanOrEqual(20 * maxFps + 1);
  }
});

test('of a camera of just the right rate none is lost because it comes a little early', () => {
  expect(passed(new FpsLimiter(30), 30, 20, 8)).toBe(600);
});

test('without a limit all pass', () => {
  expect(passed(new FpsLimiter(), 1_000, 2)).toBe(2_000);
});

test('more is allowed with the next frame, less from then on', () => {
  const limiter = new FpsLimiter(1);
  expect(passed(limiter, 20, 2)).toBeLessThanOrEqual(3);
  limiter.setRate(20);
  expect(passed(limiter, 20, 2, 0, 2_000)).toBeGreaterThanOrEqual(39);
  limiter.setRate(1);
  expect(passed(limiter, 20, 3, 0, 4_000)).toBeLessThanOrEqual(4);
  limiter.setRate(Number.POSITIVE_INFINITY);
  expect(passed(limiter, 100, 1, 0, 7_000)).toBe(100);
});

test('it says when the turn of a frame that came too early is', () => {
  const limiter = new FpsLimiter(10);
  expect(limiter.admits(1_000)).toBe(true);
  expect(limiter.admits(1_010)).toBe(false);
  expect(limiter.waitMs(1_010)).toBe(90);
  expect(limiter.admits(1_100)).toBe(true);
});
