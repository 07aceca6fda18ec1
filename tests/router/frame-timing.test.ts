import { expect, test } from 'vitest';
import { FramePath } from '../../src/router/frame-path.ts';
import { frameMessage, World } from './fakes.ts';

test('of the frames of each stream one in 64 is timed, from its admission to the end', () => {
  const world = new World();
  const took: number[] = [];
  const { streams, counters } = world.router;
  // Each look at the clock is a quarter of a millisecond later than the one before.
  let nowMs = 0;
  const clock = {
    epochMs: () => 0,
    monotonicMs: () => {
      nowMs += 0.25;
      return nowMs;
    },
  };
  const framePath = new FramePath(streams, clock, counters, (ms) => took.push(ms));
  for (const streamId of ['door', 'gate']) {
    const { link } = world.register(streamId);
    for (let number = 1; number <= 200; number += 1) {
      nowMs += 100;
      framePath.accept(link, frameMessage(streamId, number, 60, 'msgpack'), 'msgpack');
    }
  }
  expect(counters.framesAccepted).toBe(400);
  expect(took).toEqual([0.25, 0.25, 0.25, 0.25, 0.25, 0.25]);
});
