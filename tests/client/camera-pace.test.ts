import { expect, test } from 'vitest';
import { CameraPace } from '../../src/client/camera-pace.ts';

const slow = { captured: 10, replaced: 5, isTooLarge: false };
const calm = { captured: 10, replaced: 0, isTooLarge: false };

test('on a slow network it films fewer frames first, and then worse ones, down to a limit', () => {
  const pace = new CameraPace({ fps: 20, quality: 0.7 });
  const course: [number, number][] = [];
  for (let look = 0; look < 20; look += 1) {
    pace.look(slow);
    course.push([pace.fps, pace.quality]);
  }
  const firstWorse = course.findIndex(([, quality]) => quality < 0.7);
  expect(course.slice(0, firstWorse).at(-1)?.[0]).toBe(5);
  expect(course.at(-1)).toEqual([5, 0.35]);
});

test('when it is calm again it goes up, slowly, the quality first, to where it was and no further', () => {
  const pace = new CameraPace({ fps: 20, quality: 0.7 });
  for (let look = 0; look < 20; look += 1) pace.look(slow);
  for (let look = 0; look < 4; look += 1) pace.look(calm);
  expect(pace.quality).toBe(0.35);
  pace.look(calm);
  expect([pace.quality, pace.fps]).toEqual([expect.closeTo(0.4), 5]);
  for (let look = 0; look < 300; look += 1) pace.look(calm);
  expect([pace.quality, pace.fps]).toEqual([0.7, 20]);
});

test('one frame lost now and then is no slow network', () => {
  const pace = new CameraPace({ fps: 30, quality: 0.7 });
  for (let look = 0; look < 20; look += 1) pace.look({ captured: 30, replaced: 2, isTooLarge: false });
  expect([pace.fps, pace.quality]).toEqual([30, 0.7]);
});

test('a router that finds the frames too large gets smaller ones, not fewer', () => {
  const pace = new CameraPace({ fps: 30, quality: 0.7 });
  pace.look({ ...calm, isTooLarge: true });
  expect([pace.fps, pace.quality]).toEqual([30, expect.closeTo(0.6)]);
});

test('a camera that was asked for two frames a second never films more', () => {
  const pace = new CameraPace({ fps: 2, quality: 0.5 });
  for (let look = 0; look < 50; look += 1) pace.look(look % 7 === 0 ? slow : calm);
  expect(pace.fps).toBeLessThanOrEqual(2);
});
